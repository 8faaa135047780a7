(module)
(; never (; closed ;)
