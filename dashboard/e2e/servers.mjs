/** Servers of a scene's own: PostgreSQL and Redis on free ports, stopped and started as the scene likes. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chown, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);
const patienceMs = 60_000;

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until something listens there. */
async function listens(port, child) {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const open = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    assert.ok(child.exitCode === null && Date.now() < deadline, `port ${port}: nobody listens`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** The newest version's programs, whether they are in the path or where Debian puts them. */
async function postgresPrograms() {
  const root = "/usr/lib/postgresql";
  const versions = await readdir(root).catch(() => []);
  const folders = versions.map((version) => join(root, version, "bin")).sort();
  for (const folder of [...folders.reverse(), ...(process.env.PATH ?? "").split(":")]) {
    const found = await access(join(folder, "initdb")).then(
      () => true,
      () => false,
    );
    if (found) return folder;
  }
  throw new Error("PostgreSQL is installed by tests/tools/packages.sh");
}

/** It refuses to run as root: then it runs as the package's own user. */
async function postgresUser() {
  if (process.getuid() !== 0) return {};
  const users = await readFile("/etc/passwd", "utf8");
  const [, uid, gid] = users.match(/^postgres:[^:]*:(\d+):(\d+)/m) ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

export async function startPostgres() {
  const [programs, user, port] = [await postgresPrograms(), await postgresUser(), await freePort()];
  const folder = await mkdtemp(join(tmpdir(), "dashboard-postgres-"));
  if (user.uid !== undefined) await chown(folder, user.uid, user.gid);
  const options = { ...user, cwd: "/", env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" } };
  const data = join(folder, "data");
  const init = ["-D", data, "-U", "dagpool", "-E", "UTF8", "--auth=trust", "--no-sync", "--no-instructions"];
  await run(join(programs, "initdb"), init, options);
  let child = null;
  const start = async () => {
    const args = ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-k", folder];
    child = spawn(join(programs, "postgres"), args, { ...options, stdio: "ignore" });
    await listens(port, child);
  };
  /** At once, as when somebody pulls the plug. */
  const kill = async () => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGQUIT");
    await once(child, "exit");
  };
  await start();
  const deadline = Date.now() + patienceMs;
  const make = ["-h", "127.0.0.1", "-p", String(port), "-U", "dagpool", "dagpool"];
  // It listens before it is ready.
  const made = () =>
    run(join(programs, "createdb"), make, options).then(
      () => true,
      () => false,
    );
  while (!(await made())) assert.ok(Date.now() < deadline, "PostgreSQL takes no database");
  const stop = async () => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  return { url: `postgres://dagpool@127.0.0.1:${port}/dagpool`, start, kill, stop };
}

export async function startRedis() {
  const port = await freePort();
  let child = null;
  const start = async () => {
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    child = spawn("redis-server", args, { stdio: "ignore", cwd: tmpdir() });
    await listens(port, child);
  };
  const kill = async () => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  await start();
  return { url: `redis://127.0.0.1:${port}`, start, kill, stop: kill };
}

/** A program of the pool that says on its output what others need; ends with `stop`. */
export async function startProgram(binary, args, wanted) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  const log = [];
  createInterface({ input: child.stderr }).on("line", (line) => log.push(line) > 80 && log.shift());
  const found = {};
  const complete = () => Object.keys(wanted).every((name) => found[name]);
  if (!complete()) {
    for await (const line of createInterface({ input: child.stdout })) {
      for (const [name, pattern] of Object.entries(wanted)) found[name] ??= line.match(pattern)?.[1];
      if (complete()) break;
    }
  }
  const missing = Object.keys(wanted).filter((name) => !found[name]);
  assert.deepEqual(missing, [], `${args[0]} says what is needed\n${log.join("\n")}`);
  child.stdout.resume();
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { ...found, log, stop };
}
