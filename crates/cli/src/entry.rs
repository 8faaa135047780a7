//! What `run` calls: a program's `_start`, or the export and the values that `--invoke` names.

use std::ffi::OsString;

use dunlin::{ExternType, FuncType, Module, Val};
use dunlin_module::escape;

use crate::Exit;
use crate::literal;
use crate::report::{Failure, quoted};

/// How many exports a message lists.
const EXPORTS_LISTED: usize = 16;

/// The export to call, and with what.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) args: Vec<Val>,
    /// Room for the results.
    pub(crate) results: Vec<Val>,
}

impl<'a> Entry<'a> {
    /// The entry of a program.
    pub(crate) fn start(module: &Module, name: &str) -> Result<Entry<'a>, Failure> {
        match module.get_export("_start") {
            Some(ExternType::Func { ty, .. }) if ty.params.is_empty() && ty.results.is_empty() => {
                Ok(Entry { name: "_start", args: Vec::new(), results: Vec::new() })
            }
            Some(other) => {
                let message = format!("cannot run {name}: its `_start` is no program's");
                let types = format!("expected (func), found {other}");
                Err(Failure::new(Exit::Unreached, format!("{message}: {types}")))
            }
            None => {
                let message = format!("cannot run {name}: it is no program, it has no `_start`");
                let failure = Failure::new(Exit::Unreached, message);
                Err(match funcs(module) {
                    Some(funcs) => {
                        failure.help(format!("call a function with `--invoke`: {funcs}"))
                    }
                    None => failure.help("it exports no functions either"),
                })
            }
        }
    }

    /// The entry that `--invoke` names, with its values.
    pub(crate) fn invocation(
        module: &Module,
        name: &str,
        export: &'a str,
        args: &[OsString],
    ) -> Result<Entry<'a>, Failure> {
        let quoted_export = quoted(export);
        let ty = match module.get_export(export) {
            Some(ExternType::Func { ty, .. }) => ty,
            Some(other) => {
                let found = other.to_string();
                let message =
                    format!("cannot call {quoted_export}: expected a function, found {found}");
                return Err(Failure::new(Exit::Unreached, message));
            }
            None => {
                let message =
                    format!("cannot call {quoted_export}: {name} exports nothing of that name");
                let failure = Failure::new(Exit::Unreached, message);
                return Err(match funcs(module) {
                    Some(funcs) => failure.help(format!("it exports {funcs}")),
                    None => failure.help("it exports no functions"),
                });
            }
        };
        let wrong = |message: String| {
            Failure::new(Exit::Usage, format!("cannot call {quoted_export}: {message}"))
                .help(format!("its type is {ty}"))
        };
        if args.len() != ty.params.len() {
            let (expected, found) = (ty.params.len(), args.len());
            let values = if expected == 1 { "value" } else { "values" };
            return Err(wrong(format!("expected {expected} {values} after FILE, found {found}")));
        }
        let values = args.iter().zip(&ty.params).enumerate().map(|(at, (arg, param))| {
            let arg = arg.to_string_lossy();
            literal::parse(&arg, *param).map_err(|expected| {
                let found = quoted(&arg);
                wrong(format!("value {} ({param}): expected {expected}, found {found}", at + 1))
            })
        });
        let args = values.collect::<Result<_, _>>()?;
        Ok(Entry { name: export, args, results: vec![Val::I32(0); ty.results.len()] })
    }
}

/// The exported functions with their types, as far as they fit in a message.
fn funcs(module: &Module) -> Option<String> {
    let func = |export: dunlin::ExportType<'_>| match export.ty() {
        ExternType::Func { ty, .. } => Some((export.name().to_owned(), FuncType::clone(ty))),
        _ => None,
    };
    let mut funcs = module.exports().filter_map(func).peekable();
    funcs.peek()?;
    let mut listed: Vec<String> = funcs
        .by_ref()
        .take(EXPORTS_LISTED)
        .map(|(name, ty)| format!("`{}` {ty}", escape(&name)))
        .collect();
    match funcs.count() {
        0 => {}
        more => listed.push(format!("and {more} more")),
    }
    Some(listed.join(", "))
}
