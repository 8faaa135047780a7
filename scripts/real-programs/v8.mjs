// Runs a WASI 0.1 program in V8, with threads if it imports a shared memory. Node 24 or newer.
//
//     node v8.mjs [--dir HOST[::GUEST]] [--env NAME=VALUE] FILE [ARGUMENT]...
import fs from "node:fs";
import { WASI } from "node:wasi";
import { isMainThread, Worker, workerData } from "node:worker_threads";

/** What the command line asks for: directories, environment, and the program's own arguments. */
function parse(words) {
  const preopens = {};
  const env = {};
  while (words[0]?.startsWith("--")) {
    const [flag, value] = words.splice(0, 2);
    if (flag === "--dir") {
      const [host, guest = host] = value.split("::");
      preopens[guest] = host;
    } else if (flag === "--env") {
      const at = value.indexOf("=");
      env[value.slice(0, at)] = value.slice(at + 1);
    } else throw new Error(`unknown flag ${flag}`);
  }
  return { version: "preview1", args: words, env, preopens, returnOnExit: true };
}

const spawnWorker = (data) => new Worker(new URL(import.meta.url), { workerData: data });

/** A thread of a program with threads; the first one runs `_start`. */
function runThread(shared) {
  const { module, memory, ids, options, id, argument } = shared;
  const wasi = new WASI(options);
  const spawn = (argument) => {
    const id = Atomics.add(ids, 0, 1) + 1;
    spawnWorker({ module, memory, ids, options, id, argument });
    return id;
  };
  const imports = { ...wasi.getImportObject(), env: { memory }, wasi: { "thread-spawn": spawn } };
  const instance = new WebAssembly.Instance(module, imports);
  if (id === undefined) process.exit(wasi.start(instance));
  wasi.finalizeBindings(instance, { memory });
  instance.exports.wasi_thread_start(id, argument);
}

if (isMainThread) {
  const options = parse(process.argv.slice(2));
  const module = new WebAssembly.Module(fs.readFileSync(options.args[0]));
  if (WebAssembly.Module.imports(module).some(({ kind }) => kind === "memory")) {
    // Its limits are not to be had from the module: as much as the programs here have use for.
    const memory = new WebAssembly.Memory({ initial: 512, maximum: 4096, shared: true });
    const ids = new Int32Array(new SharedArrayBuffer(4));
    spawnWorker({ module, memory, ids, options }).on("exit", (code) => process.exit(code));
  } else {
    const wasi = new WASI(options);
    process.exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
  }
} else {
  runThread(workerData);
}
