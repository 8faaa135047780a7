;; features: -multi-memory
(module (memory 1) (memory 1))
;; error: Unsupported(Some(multi_memory)): multiple memories (at offset 0xa)
;;        help: enable with `--wasm multi-memory`
