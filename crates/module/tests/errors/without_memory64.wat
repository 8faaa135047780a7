;; features: -memory64
(module (memory i64 1))
;; error: Unsupported(Some(memory64)): memory64 must be enabled for 64-bit memories (at offset 0xb)
;;        help: enable with `--wasm memory64`
