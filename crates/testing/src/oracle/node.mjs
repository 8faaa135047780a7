// Runs modules with their probes in this process's engine: see `external.rs` for both formats.
import { readFileSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

for (const flag of process.argv.slice(3)) {
    setFlagsFromString(flag);
}

// What the engine says, in our words; the first that fits counts.
const TRAPS = [
    ['unreachable', 'unreachable'],
    ['memory access out of bounds', 'memory'],
    ['data segment', 'memory'],
    ['table index is out of bounds', 'table'],
    ['element segment', 'table'],
    ['null function or function signature', 'signature'],
    ['divide by zero', 'division'],
    ['remainder by zero', 'division'],
    ['divide result unrepresentable', 'overflow'],
    ['float unrepresentable', 'overflow'],
    ['dereferencing a null pointer', 'null'],
    ['illegal cast', 'cast'],
    ['array element access out of bounds', 'array'],
    ['operation does not support unaligned', 'unaligned'],
    // Many messages about tables; none of those above has the word, but `unrepresentable`.
    ['table', 'table'],
    ['Maximum call stack size exceeded', 'stack'],
];

function trap(error) {
    if (error instanceof WebAssembly.Exception) {
        return 'exception';
    }
    const found = TRAPS.find(([text]) => error.message.includes(text));
    return found ? found[1] : `other ${error.message.replaceAll('\n', ' ')}`;
}

let lines = [];
function say(line) {
    lines.push(line);
}
function flush() {
    let rest = Buffer.from(lines.join('\n') + '\n');
    lines = [];
    while (rest.length > 0) {
        try {
            rest = rest.subarray(writeSync(1, rest));
        } catch (error) {
            if (error.code !== 'EAGAIN') throw error;
        }
    }
}

const bytes = readFileSync(process.argv[2]);
let at = 0;
function part() {
    const size = bytes.readUInt32LE(at);
    at += 4 + size;
    return bytes.subarray(at - size, at);
}

function run(binary, probeBinary) {
    let module, probe;
    try {
        module = new WebAssembly.Module(binary);
        probe = new WebAssembly.Module(probeBinary);
    } catch (error) {
        return say(`refused ${error.message.replaceAll('\n', ' ')}`);
    }
    let instance;
    try {
        instance = new WebAssembly.Instance(module, {});
    } catch (error) {
        return say(`trap ${trap(error)}`);
    }
    let calls;
    try {
        calls = new WebAssembly.Instance(probe, { m: instance.exports }).exports;
    } catch (error) {
        return say(`refused ${error.message.replaceAll('\n', ' ')}`);
    }
    say('instantiated');
    for (let n = 0; calls[n] !== undefined; n += 1) {
        try {
            const result = calls[n]();
            const list = result === undefined ? [] : Array.isArray(result) ? result : [result];
            say(['values', ...list.map((x) => BigInt.asUintN(64, x).toString(16))].join(' '));
        } catch (error) {
            say(`trap ${trap(error)}`);
        }
    }
}

while (at < bytes.length) {
    run(part(), part());
    say('end');
    flush();
}
