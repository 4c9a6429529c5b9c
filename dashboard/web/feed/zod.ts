import { z } from "zod";

// The content security policy forbids code made at run time. Set before any schema is made.
z.config({ jitless: true });

export { z };
