(module binary "\00asm\01\00\00\00" "\02\07\01\01\ff\01n\03\7f\00")
;; error: Malformed: malformed UTF-8 encoding (at offset 0xc)
