export * as z from "./shape";
