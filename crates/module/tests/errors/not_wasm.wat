(module binary "PK\03\04 some other file")
;; error: Malformed: expected a WebAssembly binary, found bytes starting with `PK\u{3}\u{4}` (at offset 0x0)
