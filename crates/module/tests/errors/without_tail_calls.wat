;; features: -tail-call
(module (func $f return_call $f))
;; error: Unsupported(Some(tail_call)): tail calls support is not enabled (at offset 0x17, in function `f`)
;;        help: enable with `--wasm tail-call`
