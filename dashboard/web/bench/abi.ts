import { BenchError } from "./package";

/** The wasm side of the plugin ABI, major version 1 (`plugin-sdk/src/abi`). */
const major = 1;
const headerSize = 80;
const hashSize = 32;
const bufferMax = 1 << 24;

/** What a module says about itself. */
export interface Description {
  name: string;
  version: string;
  nonceSize: number;
}

type Call = (...args: number[]) => number;

/** One instance of a package's module. It imports nothing, so it can reach nothing. */
export class WasmAlgorithm {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: Record<string, Call>;
  readonly #input: number;
  readonly #output: number;
  readonly #inputCapacity: number;
  readonly #outputCapacity: number;
  readonly batch: number;
  readonly description: Description;

  constructor(module: WebAssembly.Module) {
    const wanted = WebAssembly.Module.imports(module).map((one) => `${one.module}::${one.name}`);
    if (wanted.length > 0)
      throw new BenchError("WASM_IMPORTS", `The module wants ${wanted.join(", ")}; it may import nothing.`);
    const { exports } = new WebAssembly.Instance(module, {});
    if (!(exports.memory instanceof WebAssembly.Memory))
      throw new BenchError("WASM_EXPORTS", "The module exports no memory.");
    this.#memory = exports.memory;
    this.#exports = callables(exports);
    const version = this.#call("dagpool_abi_version") >>> 16;
    if (version !== major)
      throw new BenchError("WASM_VERSION", `The module speaks ABI version ${version}, this page ${major}.`);
    const created = this.#call("dagpool_create");
    if (created !== 0) throw new BenchError("WASM_CREATE", `dagpool_create returned ${created}.`);
    this.batch = this.#size("dagpool_batch_capacity", 1);
    [this.#input, this.#inputCapacity] = this.#buffer("dagpool_input", this.batch * headerSize);
    [this.#output, this.#outputCapacity] = this.#buffer("dagpool_output", this.batch * hashSize);
    this.description = this.#describe();
  }

  /** The hash of one input. */
  hash(input: Uint8Array): Uint8Array {
    if (input.length > this.#inputCapacity)
      throw new BenchError(
        "INPUT_TOO_LONG",
        `The input has ${input.length} bytes, the module takes ${this.#inputCapacity}.`,
      );
    this.#write(input);
    const status = this.#call("dagpool_hash", input.length);
    if (status !== 0) throw this.#failed("dagpool_hash", status);
    return this.#read(hashSize);
  }

  /** Puts headers in place once; `run` then hashes them again and again. */
  load(headers: readonly Uint8Array[]): number {
    const count = Math.min(this.batch, headers.length);
    const packed = new Uint8Array(count * headerSize);
    for (const [at, header] of headers.slice(0, count).entries()) packed.set(header, at * headerSize);
    this.#write(packed);
    return count;
  }

  run(count: number): void {
    const hashed = this.#call("dagpool_hash_batch", count);
    if (hashed !== count) throw this.#failed("dagpool_hash_batch", hashed);
  }

  /** The hashes of the last `run`. */
  hashes(count: number): Uint8Array[] {
    const all = this.#read(count * hashSize);
    return Array.from({ length: count }, (_, at) => all.slice(at * hashSize, (at + 1) * hashSize));
  }

  #describe(): Description {
    const length = this.#call("dagpool_info");
    if (length < 0 || length > this.#outputCapacity) throw this.#failed("dagpool_info", length);
    const said: unknown = JSON.parse(new TextDecoder().decode(this.#read(length)));
    const { name, version, nonce_size } = said as Record<string, unknown>;
    return {
      name: typeof name === "string" ? name : "?",
      version: typeof version === "string" ? version : "?",
      nonceSize: typeof nonce_size === "number" ? nonce_size : 8,
    };
  }

  #failed(name: string, status: number): BenchError {
    const length = this.#call("dagpool_error");
    const text = length > 0 && length <= this.#outputCapacity ? new TextDecoder().decode(this.#read(length)) : "";
    return new BenchError("WASM_FAILED", `${name} returned ${status}${text && `: ${text}`}.`);
  }

  #call(name: string, ...args: number[]): number {
    const call = this.#exports[name];
    if (!call) throw new BenchError("WASM_EXPORTS", `The module exports no ${name}.`);
    return call(...args);
  }

  #size(name: string, least: number): number {
    const size = this.#call(name) >>> 0;
    if (size < least || size > bufferMax) throw new BenchError("WASM_BUFFER", `${name} is ${size}.`);
    return size;
  }

  #buffer(name: string, least: number): [at: number, capacity: number] {
    const at = this.#call(name) >>> 0;
    const capacity = this.#size(`${name}_capacity`, least);
    if (at + capacity > this.#memory.buffer.byteLength)
      throw new BenchError("WASM_BUFFER", `${name} lies outside of the module's memory.`);
    return [at, capacity];
  }

  #write(content: Uint8Array): void {
    new Uint8Array(this.#memory.buffer, this.#input, content.length).set(content);
  }

  #read(length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, this.#output, length).slice();
  }
}

function callables(exports: WebAssembly.Exports): Record<string, Call> {
  const found = Object.entries(exports).filter(([, value]) => typeof value === "function");
  return Object.fromEntries(found) as Record<string, Call>;
}
