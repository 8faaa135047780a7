;; features: -multi-memory
(module (memory 1) (func $f (drop (i32.load 1 (i32.const 0)))))
;; error: Unsupported(Some(multi_memory)): malformed memop: reserved flags bits set (at offset 0x1f, in function `f`)
;;        help: enable with `--wasm multi-memory`
