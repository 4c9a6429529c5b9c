/** The pages of a folder before a pool that runs: so another build of them meets a real pool. All but its files is the pool's. */
import { readFile } from "node:fs/promises";
import { request as ask, createServer } from "node:http";
import { connect } from "node:net";
import { extname, join, normalize } from "node:path";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** The pool answers this path itself. */
const ofPool = (path) => /^\/(api|health|metrics|docs)(\/|$)/.test(path) && path !== "/api/docs";

export async function startFront(pool, folder) {
  const { hostname, port } = new URL(pool);
  // The policy and what else the pool says with a page.
  const { headers } = await fetch(pool);
  const said = Object.fromEntries(
    [...headers].filter(
      ([name]) => !/^(content-(type|length|encoding)|etag|date|transfer-encoding|connection|cache-control)$/.test(name),
    ),
  );
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", pool);
    if (ofPool(pathname)) {
      const { method, headers, url } = request;
      const passed = ask({ hostname, port, method, headers, path: url }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      passed.on("error", () => response.destroy());
      request.pipe(passed);
      return;
    }
    const path = pathname === "/api/docs" ? "/api-docs.html" : normalize(pathname);
    const name = join(folder, extname(path) === "" ? "index.html" : path);
    const packed = await readFile(`${name}.br`).catch(() => null);
    const body = packed ?? (await readFile(name).catch(() => null));
    if (body === null) response.writeHead(404).end();
    else {
      const keep = path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
      const kind = { "content-type": types[extname(name)] ?? "application/octet-stream", "cache-control": keep };
      response.writeHead(200, { ...said, ...kind, ...(packed ? { "content-encoding": "br" } : {}) }).end(body);
    }
  });
  server.on("upgrade", (request, socket, head) => {
    const beyond = connect(Number(port), hostname, () => {
      const lines = request.rawHeaders.map((part, at) => (at % 2 === 0 ? `${part}: ` : `${part}\r\n`)).join("");
      beyond.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines}\r\n`);
      beyond.write(head);
      beyond.pipe(socket).pipe(beyond);
    });
    for (const side of [socket, beyond]) side.on("error", () => [socket, beyond].map((one) => one.destroy()));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}
