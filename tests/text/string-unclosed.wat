(module (data "abc
  def)
