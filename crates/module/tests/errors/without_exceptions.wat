;; features: -exceptions
(module (tag (param i32)))
;; error: Unsupported(Some(exceptions)): exceptions proposal not enabled (at offset 0x11)
;;        help: enable with `--wasm exceptions`
