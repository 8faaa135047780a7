(module binary "")
;; error: Malformed: expected a WebAssembly binary, found nothing (at offset 0x0)
