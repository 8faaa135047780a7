// Compiles MoonBit's standard library and `main.mbt` to WebAssembly with garbage collection, by MoonBit's own compiler.
//
//     node build.mjs MOONPAD OUT.wasm
//
// Compiler and library are those of the online editor (npm @moonbit/moonpad-monaco): the compiler is a web worker, the
// library is in the editor's bundle, file by file in base64.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import vm from "node:vm";

const [moonpad, out] = process.argv.slice(2);
const TARGET = "wasm-gc";
const BACKEND = "WasmGC";
const CORE = "moonbitlang/core";

/** The files of the standard library, by their paths below `/lib/core/`. */
function libraryFiles() {
  const bundle = fs.readFileSync(path.join(moonpad, "dist/moonpad-monaco.js"), "utf8");
  const contents = new Map();
  for (const [, name, base64] of bundle.matchAll(/([\w$]+) = d\("([A-Za-z0-9+/=]*)"\)/g)) contents.set(name, base64);
  const files = new Map();
  for (const [, file, name] of bundle.matchAll(/^i\["\/lib\/core\/([^"]+)"\] = ([\w$]+);/gm)) {
    if (contents.has(name)) files.set(file, Buffer.from(contents.get(name), "base64"));
  }
  return files;
}

/** Starts the worker in this process; the answer calls one of its functions. */
function compiler() {
  const waiting = new Map();
  let receive;
  Object.assign(globalThis, {
    require: createRequire(import.meta.url),
    addEventListener: (_, listener) => (receive = listener),
    removeEventListener: () => {},
    postMessage: ({ id, type, value }) => {
      const [resolve, reject] = waiting.get(id);
      if (type === "HANDLER") reject(new Error(JSON.stringify(value)));
      else resolve(value);
    },
  });
  vm.runInThisContext(fs.readFileSync(path.join(moonpad, "dist/moonc-worker.js"), "utf8"));
  return (name, parameters) =>
    new Promise((resolve, reject) => {
      const id = String(waiting.size);
      waiting.set(id, [resolve, reject]);
      const argumentList = [{ type: "RAW", value: parameters }];
      receive({ origin: "", data: { id, type: "APPLY", path: [name], argumentList } });
    });
}

const files = libraryFiles();
const call = compiler();
const packages = new Map();
for (const p of JSON.parse(files.get("_build/packages.json")).packages) packages.set(`${CORE}/${p.rel}`, p);

/** Packages after those they depend on. */
const order = [];
const seen = new Set();
function visit(name) {
  if (seen.has(name) || !packages.has(name)) return;
  seen.add(name);
  for (const { path } of packages.get(name).deps) visit(path);
  order.push(name);
}
for (const name of packages.keys()) visit(name);

const interfaces = new Map();
const cores = [];

async function build(name, sources, imports, more) {
  const built = await call("buildPackage", {
    mbtFiles: sources,
    miFiles: imports,
    indirectImportMiFiles: [],
    stdMiFiles: [],
    target: TARGET,
    pkg: name,
    isMain: false,
    errorFormat: "human",
    enableValueTracing: false,
    noOpt: false,
    ...more,
  });
  if (!built.core) throw new Error(`${name}:\n${built.diagnostics.filter((d) => !d.includes("Warning")).join("")}`);
  cores.push(built.core);
  return built.mi;
}

const pkgSources = [`${CORE}:moonbit-core:/lib/core`];
for (const name of order) {
  const p = packages.get(name);
  const sources = Object.entries(p.files)
    .filter(([, when]) => when.backend.includes(BACKEND) && when.optlevel.includes("Release"))
    .map(([file]) => [file, files.get(file.split("/lib/core/")[1]).toString()]);
  if (sources.length === 0) continue;
  // Those it names, by the names it gives them, and all others, whose types may show through.
  const alias = new Map(p.deps.map((dependency) => [dependency.path, dependency.alias]));
  const imports = [...interfaces].map(([n, { file, mi }]) => [`${file}:${alias.get(n) ?? n.slice(CORE.length + 1)}`, mi]);
  const mi = await build(name, sources, imports, { pkgSources });
  interfaces.set(name, { file: `/lib/core/_build/${p.rel}/${path.basename(p.rel)}.mi`, mi });
}

const own = ["deque", "immut/sorted_map", "json", "list", "math", "priority_queue", "bigint"];
const imports = own.map((name) => {
  const { file, mi } = interfaces.get(`${CORE}/${name}`);
  return [`${file}:${path.basename(name)}`, mi];
});
const main = "driver/main";
const here = path.dirname(new URL(import.meta.url).pathname);
await build(main, [["main.mbt", fs.readFileSync(path.join(here, "main.mbt"), "utf8")]], imports, {
  stdMiFiles: [...interfaces.values()].map(({ file, mi }) => [file, mi]),
  pkgSources: [...pkgSources, `${main}:/driver`],
  isMain: true,
});
const linked = await call("linkCore", {
  coreFiles: cores,
  main,
  pkgSources: [...pkgSources, `${main}:/driver`],
  target: TARGET,
  exportedFunctions: [],
  outputFormat: "wasm",
  testMode: false,
  debug: false,
  noOpt: false,
  sourceMap: false,
  sources: {},
  stopOnMain: false,
});
fs.writeFileSync(out, linked.result);
