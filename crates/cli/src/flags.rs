//! The command line as plain data: what was typed, parsed, and nothing decided yet.
//!
//! The comments on fields and variants are the texts of `--help`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

mod component;
mod policy;

pub(crate) use component::*;
pub(crate) use policy::*;

use crate::grant::{DirGrant, EnvGrant};
use crate::quantity::{Count, Size, TimeSpan};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const MAIN_HELP: &str = "\
Examples:
  dunlin run hello.wasm                       run a program; it may touch nothing
  dunlin run --dir ./data:ro app.wasm a b     let it read ./data, pass it two arguments
  dunlin run --invoke add math.wasm 2 3       call one export and print its result
  dunlin inspect app.wasm                     see what a module contains and will ask for
  dunlin compile app.wasm                     make app.dunlin, which runs at full speed at once

`dunlin COMMAND --help` tells more about each command.";

const CALL_HELP: &str = "\
Examples:
  dunlin call adder.wasm 'add(2, 3)'
  dunlin call shop.wasm 'acme:shop/prices@1.0.0#of(\"tea\", {size: large})'
  dunlin call --dir data counter.wasm 'count-lines(\"data/x.txt\")'

The result is printed in WAVE, on one line. What is not granted is denied, as in `dunlin run`, whose exit
codes apply.";

const RUN_HELP: &str = "\
A program starts with nothing but its arguments and the terminal. Whatever else it needs is
granted with a flag, and when it fails after being refused something, the flag is named.

Exit codes:
  the program's own, if it ran to its end or called exit
    1  something could not be loaded, linked or reached
    2  the command line is wrong
  124  the time (--timeout) or the fuel (--fuel) ran out
  130  stopped with Ctrl-C
  134  the program trapped

Examples:
  dunlin run --dir .::/ app.wasm              the current directory is the program's root
  dunlin run --dir in:ro --dir out app.wasm   read from one directory, write to another
  dunlin run --env HOME --env DEBUG=1 app.wasm
  dunlin run --timeout 2s --max-memory 64MiB untrusted.wasm
  dunlin run --listen 127.0.0.1:8080 server.wasm
  dunlin run --invoke add math.wat 0x10 -3
  cat app.wasm | dunlin run -";

/// Run any WebAssembly, sandboxed.
#[derive(Parser, Debug)]
#[command(
    name = "dunlin",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = MAIN_HELP,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a program, or call one function of a module.
    Run(Box<RunFlags>),
    /// Call one function of a component or module, and print its result.
    Call(Box<CallFlags>),
    /// Compile a module to native code ahead of time.
    Compile(CompileFlags),
    /// Check that modules are valid, without running anything.
    Validate(ValidateFlags),
    /// Translate the text format to binary.
    Wat(WatFlags),
    /// Translate binary to the text format.
    Print(PrintFlags),
    /// Run test scripts (`.wast`), directive by directive.
    Wast(WastFlags),
    /// Show what a module contains, uses, and will ask for.
    Inspect(InspectFlags),
    /// Show the interface of a component, or check WIT text.
    Wit(WitFlags),
    /// Make components from modules.
    Component(ComponentFlags),
    /// Make one component from several.
    Compose(ComposeFlags),
    /// Show what is granted or asked for, and compare it.
    Policy(PolicyFlags),
    /// Make a pair of keys, to sign compiled programs with.
    Key(KeyFlags),
    /// Show what the cache holds, or clear it.
    Cache(CacheFlags),
    /// Print a completion script for a shell.
    Completions(CompletionsFlags),
}

#[derive(Args, Debug)]
#[command(
    override_usage = "dunlin run [OPTIONS] FILE [ARGS]...",
    after_long_help = RUN_HELP,
    after_help = "`dunlin run --help` tells more, with examples and exit codes."
)]
pub(crate) struct RunFlags {
    /// The module (binary, text or compiled; `-` reads it from stdin), and the program's own arguments.
    ///
    /// Everything after FILE belongs to the program, even if it looks like a flag.
    #[arg(required = true, trailing_var_arg = true, value_names = ["FILE", "ARGS"])]
    pub(crate) file_and_args: Vec<OsString>,

    /// Call this export instead of starting the program, and print its results.
    ///
    /// The arguments after FILE are its values, read by its signature: integers in decimal or hex,
    /// floats also as `inf`, `nan` or in hex, vectors as `i32x4:1,2,3,4` (any shape) or as one hex
    /// number, references as `null`. One result is printed per line. A library that has to be
    /// initialised (`_initialize`) is initialised first.
    #[arg(long, value_name = "NAME")]
    pub(crate) invoke: Option<String>,

    #[command(flatten)]
    pub(crate) program: ProgramFlags,
}

#[derive(Args, Debug)]
#[command(
    after_long_help = CALL_HELP,
    after_help = "`dunlin call --help` tells more, with examples and exit codes."
)]
pub(crate) struct CallFlags {
    /// The component or module (binary or text; `-` reads it from stdin).
    pub(crate) file: PathBuf,

    /// The function and its values, as in `greet("world", {times: 3})`.
    ///
    /// Values are written in WAVE: numbers, `true`, `'c'`, `"text"`, `[lists]`, `(tuples)`, `{field: value}`,
    /// `case(value)`, `some(value)`, `ok(value)`, `{flag, flag}`. What is optional may be left out at the
    /// end. A function of an interface is called by both names: `acme:shop/prices@1.0.0#of("tea")`; the
    /// interface may be left out where only one has such a function.
    #[arg(value_name = "CALL")]
    pub(crate) call: String,

    #[command(flatten)]
    pub(crate) program: ProgramFlags,
}

/// What a program is given, and how it is run.
#[derive(Args, Debug)]
pub(crate) struct ProgramFlags {
    #[command(flatten)]
    pub(crate) grants: GrantFlags,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,

    /// Let function imports that nothing provides trap when they are called.
    ///
    /// Without it a module with such imports is not run. Memories, tables and globals that nothing
    /// provides are made: as small as the module allows, zero or null.
    #[arg(long, help_heading = "Engine")]
    pub(crate) stub_unknown_imports: bool,

    /// Take string constants from this import module too, besides the module `'`.
    ///
    /// Programs for browsers import their strings as globals whose names are the strings. Which
    /// module they import them from is up to their compiler.
    #[arg(long, value_name = "MODULE", help_heading = "Engine")]
    pub(crate) string_constants: Vec<String>,

    /// Print what the garbage collector did, on stderr when the program has ended.
    #[arg(long, help_heading = "Engine")]
    pub(crate) gc_stats: bool,

    /// Print what was compiled to native code, when and why, on stderr when the program has ended; with
    /// `=json` as one JSON object.
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text",
        help_heading = "Engine"
    )]
    pub(crate) tiers: Option<ReportFlag>,

    /// Let results depend on the program, its inputs and its limits alone.
    ///
    /// NaNs are canonical, growing fails only at declared maxima and at the limits given, clocks show
    /// a time that passes with what the program does, starting with the year 2000, random bytes come
    /// from `--seed`, and there are no threads without `--max-threads`. Files, pipes and sockets that
    /// are granted stay what they are.
    #[arg(long, help_heading = "Engine")]
    pub(crate) deterministic: bool,

    /// What the random bytes of `--deterministic` depend on; 0 without it.
    #[arg(long, value_name = "N", requires = "deterministic", help_heading = "Engine")]
    pub(crate) seed: Option<Count>,

    #[command(flatten)]
    pub(crate) engine: EngineFlags,

    #[command(flatten)]
    pub(crate) storage: StorageFlags,
}

/// What is kept on disk, and whose files are believed.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Storage")]
pub(crate) struct StorageFlags {
    /// Run compiled programs that were signed with the other key of this one (repeatable).
    ///
    /// KEY is a file with a public key. Those who have the private one can make this machine do
    /// anything. Programs that were compiled on this machine without a signature are always run.
    #[arg(long, value_name = "KEY")]
    pub(crate) trust: Vec<PathBuf>,

    /// Neither use nor fill the cache; the same as `DUNLIN_CACHE=off` in the environment.
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Say what did not work that is done without, such as a cache on a full disk.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Grants")]
pub(crate) struct GrantFlags {
    /// Let the program use a directory, for reading only with `:ro` (repeatable).
    ///
    /// GUEST is the name the program sees, HOST itself if left out.
    #[arg(long = "dir", value_name = "HOST[::GUEST][:ro]", value_parser = DirGrant::parser())]
    pub(crate) dirs: Vec<DirGrant>,

    /// Set an environment variable, or pass on that of this process (repeatable).
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<EnvGrant>,

    /// Listen here and give the program the socket, after its directories (repeatable).
    ///
    /// ADDR is `HOST:PORT`; port 0 picks a free one and says which.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<String>,

    #[command(flatten)]
    pub(crate) rules: RuleFlags,

    /// Read the program's standard input from a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) stdin: Option<PathBuf>,

    /// Write the program's standard output to a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) stdout: Option<PathBuf>,

    /// Write the program's standard error to a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) stderr: Option<PathBuf>,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitFlags {
    /// Stop the program after this much work: about one unit per instruction.
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<Count>,

    /// Stop the program after this time, as in `500ms`, `2s`, `1m`.
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<TimeSpan>,

    /// Most that all memories of the program may take together, as in `64MiB`.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_memory: Option<Size>,

    /// Most that the garbage-collected heap of the program may take, as in `64MiB`.
    ///
    /// A collection copies what is alive, and while it does both copies count.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_heap: Option<Size>,

    /// Most elements that all tables of the program may have together.
    #[arg(long, value_name = "N")]
    pub(crate) max_table: Option<Count>,

    /// Most that the program's call stack may take, as in `1MiB`.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_stack: Option<Size>,

    /// Most threads that the program may have at a time beside its first.
    #[arg(long, value_name = "N")]
    pub(crate) max_threads: Option<Count>,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineFlags {
    #[command(flatten)]
    pub(crate) features: FeatureFlags,

    /// How memories are laid out: fast with address space to spare, or small.
    #[arg(long, value_name = "KIND")]
    pub(crate) memory: Option<MemoryFlag>,

    /// What is compiled to native code; `auto` if left out.
    #[arg(long, value_name = "TIER")]
    pub(crate) tier: Option<TierFlag>,

    /// Collect garbage at every N-th allocation, to look for faults of the engine; slow.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) gc_zeal: Option<Count>,
}

/// How memories are laid out.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MemoryFlag {
    /// Reserves gigabytes of address space per memory; no bounds checks in code.
    Guard,
    /// Takes only what is used; thousands of memories fit in little address space.
    Compact,
}

/// What is compiled to native code.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TierFlag {
    /// Nothing.
    Interp,
    /// What takes time, in the background; nothing where there is no compiler.
    Auto,
    /// Each function before its first call.
    Opt,
}

/// How a report is written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReportFlag {
    /// A table.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct CompileFlags {
    /// A module, binary or text; `-` reads it from stdin.
    pub(crate) file: PathBuf,

    /// Where to write the program; without it beside FILE, with the ending `.dunlin`.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// Sign it with this private key, for all who trust the public one.
    ///
    /// Without it the program runs on this machine only, for this user.
    #[arg(long, value_name = "KEY")]
    pub(crate) sign: Option<PathBuf>,

    /// Make it for `dunlin run --fuel`.
    #[arg(long)]
    pub(crate) fuel: bool,

    /// Make it for `dunlin run --deterministic`.
    #[arg(long)]
    pub(crate) deterministic: bool,

    /// Name all functions that stay interpreted, not only the first.
    #[arg(short, long)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) engine: EngineFlags,
}

#[derive(Args, Debug)]
pub(crate) struct KeyFlags {
    /// Where to write the private key; the public one goes beside it, with `.pub` added.
    pub(crate) file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct CacheFlags {
    /// What to do.
    #[arg(value_enum, default_value_t = CacheAction::Show)]
    pub(crate) action: CacheAction,
}

/// What to do with the cache.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CacheAction {
    /// Say where it is and how large.
    Show,
    /// Remove everything from it.
    Clear,
}

#[derive(Args, Debug)]
pub(crate) struct ValidateFlags {
    /// Modules and components, binary or text; `-` reads one from stdin.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Say nothing about what is valid.
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) features: FeatureFlags,
}

/// Which proposals are on.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Engine")]
pub(crate) struct FeatureFlags {
    /// Which proposals of WebAssembly are on, as in `-gc,+threads`.
    ///
    /// A list of features to switch on (`+name`) and off (`-name`), or of sets to start from:
    /// `mvp`, `wasm1`, `wasm2`, `wasm3`, `all`; without one, what this version knows. An unknown
    /// name lists the known ones.
    #[arg(long = "wasm", value_name = "FEATURES", allow_hyphen_values = true)]
    pub(crate) features: Option<String>,

    /// Accept exceptions in the form of before WebAssembly 3.0 (`try`, `catch`, `delegate`), which
    /// some compilers still emit; the same as `legacy-exceptions` in `--wasm`.
    #[arg(long)]
    pub(crate) legacy_exceptions: bool,
}

#[derive(Args, Debug)]
pub(crate) struct WatFlags {
    /// A module in the text format; `-` reads it from stdin.
    pub(crate) file: PathBuf,

    /// Where to write the binary; `-` is stdout.
    ///
    /// Without it: to stdout when that is a pipe or a file, else beside FILE with the ending
    /// `.wasm`.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct PrintFlags {
    /// A module in the binary format; `-` reads it from stdin.
    pub(crate) file: PathBuf,

    /// Where to write the text; stdout without it.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// Nest instructions in parentheses where they allow it.
    #[arg(long)]
    pub(crate) fold: bool,

    /// Leave out function bodies and data, to show the shape of the module only.
    #[arg(long)]
    pub(crate) skeleton: bool,
}

#[derive(Args, Debug)]
pub(crate) struct WastFlags {
    /// Scripts; `-` reads one from stdin.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Print a line for every directive, not only for those that do not pass.
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Stop a directive after this time, as in `500ms`, `2s`, `1m`.
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<TimeSpan>,

    #[command(flatten)]
    pub(crate) engine: EngineFlags,
}

#[derive(Args, Debug)]
pub(crate) struct InspectFlags {
    /// A module, binary or text, or a compiled program; `-` reads it from stdin.
    pub(crate) file: PathBuf,

    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,

    /// Say whether a compiled program is run by those who trust this public key (repeatable).
    #[arg(long, value_name = "KEY")]
    pub(crate) trust: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionsFlags {
    /// The shell to complete for.
    pub(crate) shell: Shell,
}

impl RunFlags {
    /// FILE.
    pub(crate) fn file(&self) -> &Path {
        // The parser does not let the list be empty.
        self.file_and_args.first().map_or(Path::new("-"), Path::new)
    }

    /// What the program sees as its name: the last part of FILE.
    pub(crate) fn program(&self) -> &OsStr {
        self.file().file_name().unwrap_or(self.file().as_os_str())
    }

    /// ARGS.
    pub(crate) fn args(&self) -> &[OsString] {
        self.file_and_args.get(1..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn the_manual_has_every_flag_and_exit_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
        let manual = std::fs::read_to_string(path).unwrap();
        let mut command = Flags::command();
        command.build();
        let commands: Vec<_> = command.get_subcommands().collect();
        let nested = commands.iter().flat_map(|command| command.get_subcommands());
        for command in
            commands.iter().copied().chain(nested.filter(|command| command.get_name() != "help"))
        {
            let name = command.get_bin_name().unwrap_or_default();
            assert!(manual.contains(name), "the manual lacks `{name}`");
            for flag in command.get_arguments().filter_map(|arg| arg.get_long()) {
                let known = flag == "help" || manual.contains(&format!("--{flag}"));
                assert!(known, "the manual lacks `--{flag}` of `{name}`");
            }
        }
        for exit in [Exit::Unreached, Exit::Usage, Exit::Spent, Exit::Stopped, Exit::Trapped] {
            let row = format!("\n| {} |", exit.code());
            assert!(manual.contains(&row), "the manual lacks exit code {}", exit.code());
        }
    }
}
