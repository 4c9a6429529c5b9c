/** What the build found out about a page: its files, and what it asks for. */
export type Plans = Readonly<Record<string, { files: readonly string[]; asks: readonly string[] }>>;

/**
 * Asks for what the page at this path needs. The build puts this function alone into `start.js`: it uses nothing from elsewhere.
 */
export function begin(plans: Plans, { pathname, search }: Pick<Location, "pathname" | "search">, page: Document): void {
  const parts = (pathname.replace(/\/+$/, "") || "/").split("/");
  const fits = (path: string) => {
    const wanted = path.split("/");
    return (
      wanted.length === parts.length && wanted.every((part, at) => (part === "{name}" ? parts[at] : part === parts[at]))
    );
  };
  const own = Object.keys(plans).find(fits) ?? "/";
  const plan = plans[own];
  if (!plan) return;
  const ask = (href: string, rel: string, as?: string) => {
    const link = page.createElement("link");
    link.rel = rel;
    if (as) link.as = as;
    // As the page asks for it later, or it would come twice: `fetch`, modules, and Vite's styles all do it so.
    link.crossOrigin = "";
    link.href = href;
    page.head.append(link);
  };
  // With a filter in the address, the page asks for something else.
  const asks = search === "" ? plan.asks : plan.asks.slice(0, 1);
  let name = parts.at(-1) ?? "";
  try {
    // As the page writes it, whoever wrote the address.
    name = encodeURIComponent(decodeURIComponent(name));
  } catch {
    // The page will say so.
  }
  for (const path of asks) ask(path.replace("{name}", name), "preload", "fetch");
  for (const file of plan.files) {
    if (file.endsWith(".css")) ask(file, "preload", "style");
    else ask(file, "modulepreload");
  }
}
