;; features: -threads
(module (memory 1 1 shared))
;; error: Unsupported(Some(threads)): threads must be enabled for shared memories (at offset 0xb)
;;        help: enable with `--wasm threads`
