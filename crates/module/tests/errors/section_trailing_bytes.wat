(module binary "\00asm\01\00\00\00" "\01\02\00\00")
;; error: Malformed: section size mismatch: unexpected data at the end of the section (at offset 0xb)
