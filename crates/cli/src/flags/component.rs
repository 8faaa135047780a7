//! The flags of the commands that make, compose and show components.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::adapt::{Adaptation, Dependency};

const WIT_HELP: &str = "\
Examples:
  dunlin wit app.wasm                         what a component imports and exports
  dunlin wit --summary app.wasm               the same, a line each
  dunlin wit wit/                             check a directory of WIT text, and show it resolved
  dunlin wit --world plugin wit/              one world, and what it refers to";

const NEW_HELP: &str = "\
A module that imports WASI 0.1 is adapted to WASI 0.2: to a command if it exports `_start`, to a
proxy if its world exports a handler of HTTP requests, otherwise to a reactor; or as `--adapt
command`, `--adapt proxy` or `--adapt reactor` says.

Examples:
  dunlin component new app.wasm -o app.component.wasm
  dunlin component new --wit wit/ --world plugin module.wat -o plugin.wasm
  dunlin component new --adapt env=env-adapter.wasm module.wasm -o component.wasm";

const COMPOSE_HELP: &str = "\
A composition is written down in the language WAC, or follows from names: with `--plug`, SOCKET gets
what the plugs export under the names that it imports, and plugs get what they need from each other.

Packages that a WAC file names are looked for in `deps` beside it: `ns:pkg` is `deps/ns/pkg.wasm`.

Examples:
  dunlin compose app.wac -o app.wasm
  dunlin compose --dep acme:log=log.wasm app.wac -o app.wasm
  dunlin compose main.wasm --plug regex.wasm --plug log.wasm -o app.wasm";

#[derive(Args, Debug)]
#[command(after_help = WIT_HELP)]
pub(crate) struct WitFlags {
    /// A component, a module with WIT in it, a WIT package in binary form, a `.wit` file, or a directory of
    /// them; `-` reads it from stdin.
    pub(crate) file: PathBuf,

    /// Print one JSON object instead of text.
    #[arg(long, conflicts_with_all = ["world", "summary"])]
    pub(crate) json: bool,

    /// Print only this world and what it refers to.
    #[arg(long, value_name = "WORLD", conflicts_with = "summary")]
    pub(crate) world: Option<String>,

    /// Print a line for each function that is imported or exported.
    #[arg(long)]
    pub(crate) summary: bool,

    #[command(flatten)]
    pub(crate) unstable: UnstableFlags,
}

/// Which items of WIT text count that are marked unstable.
#[derive(Args, Debug, Default)]
pub(crate) struct UnstableFlags {
    /// Include items that are marked `@unstable` with this feature; `all` includes all (repeatable).
    #[arg(long, value_name = "FEATURE")]
    pub(crate) unstable: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ComponentFlags {
    #[command(subcommand)]
    pub(crate) command: ComponentCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ComponentCommand {
    /// Make a component of a module.
    New(NewFlags),
    /// Put WIT into a module, for `dunlin component new`.
    Embed(EmbedFlags),
}

#[derive(Args, Debug)]
#[command(after_help = NEW_HELP)]
pub(crate) struct NewFlags {
    /// A module with WIT in it, or one for WASI 0.1, binary or text; `-` reads it from stdin.
    pub(crate) file: PathBuf,

    /// Where to write the component; `-` is stdout.
    ///
    /// Without it: to stdout when that is a pipe or a file, else beside FILE with the ending
    /// `.component.wasm`.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// Implement the imports from module NAME with an adapter module; or adapt WASI 0.1 as a
    /// `command`, a `reactor` or a `proxy` (repeatable).
    #[arg(long, value_name = "NAME=FILE", value_parser = Adaptation::parser())]
    pub(crate) adapt: Vec<Adaptation>,

    #[command(flatten)]
    pub(crate) world: OptionalWorldFlags,
}

/// A world in WIT text, for modules that have none in them.
#[derive(Args, Debug, Default)]
pub(crate) struct OptionalWorldFlags {
    /// The interface of the module: a `.wit` file or a directory of them.
    #[arg(long, value_name = "PATH")]
    pub(crate) wit: Option<PathBuf>,

    /// Which world of it; not needed if there is one only.
    #[arg(long, value_name = "WORLD", requires = "wit")]
    pub(crate) world: Option<String>,

    /// How the module encodes strings.
    #[arg(long, value_name = "ENCODING", requires = "wit")]
    pub(crate) strings: Option<StringsFlag>,

    /// Include items that are marked `@unstable` with this feature; `all` includes all (repeatable).
    #[arg(long, value_name = "FEATURE", requires = "wit")]
    pub(crate) unstable: Vec<String>,
}

/// How strings are encoded.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StringsFlag {
    /// UTF-8, if nothing is said.
    Utf8,
    /// UTF-16, little-endian.
    Utf16,
    /// Latin-1 where that will do, else UTF-16.
    Compact,
}

#[derive(Args, Debug)]
pub(crate) struct EmbedFlags {
    /// A module, binary or text; `-` reads it from stdin.
    pub(crate) file: PathBuf,

    /// The interface of the module: a `.wit` file or a directory of them.
    #[arg(long, value_name = "PATH")]
    pub(crate) wit: PathBuf,

    /// Which world of it; not needed if there is one only.
    #[arg(long, value_name = "WORLD")]
    pub(crate) world: Option<String>,

    /// How the module encodes strings.
    #[arg(long, value_name = "ENCODING")]
    pub(crate) strings: Option<StringsFlag>,

    /// Where to write the module; `-` is stdout.
    ///
    /// Without it: to stdout when that is a pipe or a file, else beside FILE with the ending
    /// `.embedded.wasm`.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) unstable: UnstableFlags,
}

#[derive(Args, Debug)]
#[command(
    override_usage = "dunlin compose [OPTIONS] FILE.wac\n       \
                      dunlin compose [OPTIONS] SOCKET --plug FILE...",
    after_help = COMPOSE_HELP
)]
pub(crate) struct ComposeFlags {
    /// A WAC file, or with `--plug` the component that others are plugged into; `-` reads it from stdin.
    pub(crate) file: PathBuf,

    /// Give SOCKET what this component exports (repeatable).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dep", "deps"])]
    pub(crate) plug: Vec<PathBuf>,

    /// Where a package of the WAC file is: a component, or WIT text (repeatable).
    #[arg(long, value_name = "NS:PKG=FILE", value_parser = Dependency::parser())]
    pub(crate) dep: Vec<Dependency>,

    /// A directory to look for packages in; `deps` beside the WAC file if left out (repeatable).
    #[arg(long, value_name = "DIR")]
    pub(crate) deps: Vec<PathBuf>,

    /// Where to write the component; `-` is stdout.
    ///
    /// Without it: to stdout when that is a pipe or a file, else beside FILE with the ending
    /// `.wasm` (`.composed.wasm` for a component).
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
}
