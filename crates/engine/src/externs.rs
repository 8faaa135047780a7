//! What modules import and export, whatever it is.

use dunlin_module::ExternType;
use dunlin_vm as vm;

use crate::context::AsContext;
use crate::func::Func;
use crate::global::Global;
use crate::memory::Memory;
use crate::table::Table;
use crate::tag::Tag;

/// Anything that can be imported or exported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A table.
    Table(Table),
    /// A linear memory.
    Memory(Memory),
    /// A global.
    Global(Global),
    /// A tag.
    Tag(Tag),
}

/// Something an instance exports, with its name.
#[derive(Clone, Debug)]
pub struct Export {
    name: Box<str>,
    item: Extern,
}

impl Export {
    pub(crate) fn new(name: Box<str>, item: Extern) -> Export {
        Export { name, item }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn item(&self) -> Extern {
        self.item
    }

    /// What it is.
    pub fn into_extern(self) -> Extern {
        self.item
    }

    /// The function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        self.item.into_func()
    }

    /// The table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        self.item.into_table()
    }

    /// The memory, if it is one.
    pub fn into_memory(self) -> Option<Memory> {
        self.item.into_memory()
    }

    /// The global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        self.item.into_global()
    }
}

impl Extern {
    /// Its type.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    #[expect(clippy::panic, reason = "documented")]
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        match store.as_context().vm.extern_type((*self).into()) {
            Ok(ty) => ty,
            Err(error) => panic!("{error}"),
        }
    }
}

macro_rules! variants {
    ($($(#[$doc:meta])* $name:ident $into:ident;)*) => {
        impl Extern {
            $(
                $(#[$doc])*
                pub fn $into(self) -> Option<$name> {
                    match self {
                        Extern::$name(item) => Some(item),
                        _ => None,
                    }
                }
            )*
        }

        impl From<vm::Extern> for Extern {
            fn from(item: vm::Extern) -> Extern {
                match item {
                    $(vm::Extern::$name(item) => Extern::$name($name(item)),)*
                }
            }
        }

        impl From<Extern> for vm::Extern {
            fn from(item: Extern) -> vm::Extern {
                match item {
                    $(Extern::$name(item) => vm::Extern::$name(item.0),)*
                }
            }
        }

        $(
            impl From<$name> for Extern {
                fn from(item: $name) -> Extern {
                    Extern::$name(item)
                }
            }
        )*
    };
}

variants! {
    /// The function, if it is one.
    Func into_func;
    /// The table, if it is one.
    Table into_table;
    /// The memory, if it is one.
    Memory into_memory;
    /// The global, if it is one.
    Global into_global;
    /// The tag, if it is one.
    Tag into_tag;
}
