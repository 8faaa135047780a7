// Makes a component of a script: its file, the folder of its interfaces, the world, the file to write.

import { readFile, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";
import { _addPreopen } from "@bytecodealliance/preview2-shim/filesystem";

// Without it the tool's own component finds none of its files.
_addPreopen("/", "/");

const [source, witPath, worldName, out] = process.argv.slice(2);
// Neither makes requests: then it need not import `wasi:http`.
const options = { witPath, worldName, disableFeatures: ["http", "fetch-event"] };
const { component } = await componentize(await readFile(source, "utf8"), options);
await writeFile(out, component);
