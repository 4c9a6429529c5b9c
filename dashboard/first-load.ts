/**
 * What the build does for the first load: the styles of all pages stand in the page itself, a small script asks for what the page at hand
 * needs while the others are on their way, and every file has a copy that is packed as well as can be.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { minifySync, type Plugin, type Rolldown } from "vite";
import { begin, type Plans } from "./web/start/begin";
import { views } from "./web/start/views";

const packed = new Set([".html", ".js", ".css", ".svg"]);

type Bundle = Rolldown.OutputBundle;
type Chunk = Rolldown.OutputChunk;

const isChunk = (part: Rolldown.OutputAsset | Chunk | undefined): part is Chunk => part?.type === "chunk";

/** A chunk with all that it imports, and their styles. */
function filesOf(bundle: Bundle, name: string, seen: Set<string>): void {
  const chunk = bundle[name];
  if (!isChunk(chunk) || seen.has(name)) return;
  for (const imported of chunk.imports) filesOf(bundle, imported, seen);
  for (const style of chunk.viteMetadata?.importedCss ?? []) seen.add(style);
  seen.add(name);
}

function plansOf(bundle: Bundle, entry: Chunk): Plans {
  const common = new Set<string>();
  filesOf(bundle, entry.fileName, common);
  const chunks = Object.values(bundle).filter(isChunk);
  return Object.fromEntries(
    Object.entries(views).map(([path, { module, asks }]) => {
      const chunk = chunks.find(({ moduleIds }) => moduleIds.some((id) => id.endsWith(`/web/${module}`)));
      if (!chunk) throw new Error(`${path}: no ${module} in the build`);
      const own = new Set<string>();
      filesOf(bundle, chunk.fileName, own);
      return [path, { files: [...own].filter((file) => !common.has(file)).map((file) => `/${file}`), asks }];
    }),
  );
}

async function pack(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !packed.has(extname(entry.name))) continue;
    const file = join(entry.parentPath, entry.name);
    const content = await readFile(file);
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    };
    const small = brotliCompressSync(content, { params });
    if (small.length < content.length) await writeFile(`${file}.br`, small);
  }
}

export function firstLoad(): Plugin {
  let start = { name: "", code: "" };
  let folder = "";
  return {
    name: "first-load",
    apply: "build",
    configResolved({ root, build }) {
      folder = join(root, build.outDir);
    },
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle, chunk }) {
        if (!bundle || !isChunk(chunk) || !html.includes("<!--start-->")) return html;
        const source = `(${begin})(${JSON.stringify(plansOf(bundle, chunk))},location,document);`;
        const code = minifySync("start.js", source).code;
        start = { name: `assets/start-${createHash("sha256").update(code).digest("base64url").slice(0, 8)}.js`, code };
        const styles: string[] = [];
        const bare = html.replace(
          /\s*<link rel="stylesheet"[^>]* href="\/(assets\/[^"]+)">/g,
          (whole, name: string) => {
            const style = bundle[name];
            if (style?.type !== "asset") return whole;
            styles.push(String(style.source).trim());
            return "";
          },
        );
        const tag = `<script src="/${start.name}" async fetchpriority="high"></script>`;
        return bare.replace("<!--start-->", `${tag}\n    <style>${styles.join("\n")}</style>`);
      },
    },
    async closeBundle() {
      if (start.name === "") return;
      const file = join(folder, start.name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, start.code);
      await pack(folder);
    },
  };
}
