(module (func (block $a nop end $b)))
