(module (type $f (func)) (type (cont $f)))
;; error: Unsupported(Some(stack_switching)): cannot define continuation types when stack switching is disabled (at offset 0xe)
;;        help: enable with `--wasm stack-switching`
