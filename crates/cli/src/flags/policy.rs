//! The flags of rules, policies and the audit log, and of the command that shows and compares policies.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::grant::{ConfigGrant, StoreGrant};

const POLICY_HELP: &str = "\
Examples:
  dunlin run --dir data --learn app.policy.toml app.wasm
                                              write down what this run needs of `data`
  dunlin run --policy app.policy.toml app.wasm
                                              give it that and nothing else
  dunlin policy show app.policy.toml          the same as flags
  dunlin policy diff old.wasm new.wasm        what a new version asks for";

/// Grants by rule, grants from a file, and who is told what they are used for.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Grants")]
pub(crate) struct RuleFlags {
    /// Let the program connect, and send datagrams: `tcp://db.example.com:5432` (repeatable).
    ///
    /// RULE is `tcp://HOST:PORTS` or `udp://HOST:PORTS`, or `*` for all that is public; HOST is a
    /// name, `*.NAME`, an address, a block as
    /// `10.0.0.0/8`, or `*`. Names and `*` cover public addresses only: those of this machine and of
    /// private networks are granted as addresses.
    #[arg(long, value_name = "RULE")]
    pub(crate) allow_net: Vec<String>,

    /// Let the program take connections and datagrams: `tcp://127.0.0.1:8080` (repeatable).
    #[arg(long, value_name = "RULE")]
    pub(crate) allow_listen: Vec<String>,

    /// Let the program look up names: `*.example.com` (repeatable).
    ///
    /// Names in `--allow-net` may be looked up without it.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) allow_resolve: Vec<String>,

    /// Let the program send requests: `https://api.example.com/v1` (repeatable).
    #[arg(long, value_name = "RULE")]
    pub(crate) allow_http: Vec<String>,

    /// Set a value of the program's configuration (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) config: Vec<ConfigGrant>,

    /// Give the program a store of keys and values, in memory or in a file (repeatable).
    #[arg(long, value_name = "NAME=memory|NAME=file:PATH")]
    pub(crate) kv: Vec<StoreGrant>,

    /// Whether to ask at the terminal where no grant covers what the program needs.
    ///
    /// The answer is `once`, `always`, which is also added to the file of `--policy` or `--learn`, or
    /// `never`.
    /// Asked for
    /// connections, listeners, look-ups, requests, stores, and changes in directories that are granted
    /// for reading.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) ask: AskFlag,

    /// Grant what stands in this file, beside what flags grant.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// Write what the program needed of all that it was granted to this file, as a policy.
    #[arg(long, value_name = "FILE")]
    pub(crate) learn: Option<PathBuf>,

    /// Add a line of JSON to this file for all that the program does that takes a grant; `-` is stderr.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
}

/// When somebody is asked.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AskFlag {
    /// If standard input and standard error are terminals.
    #[default]
    Auto,
    /// Not at all: what no grant covers is refused.
    Never,
}

#[derive(Args, Debug)]
#[command(after_help = POLICY_HELP)]
pub(crate) struct PolicyFlags {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum PolicyCommand {
    /// Show what is granted or asked for, as flags.
    Show {
        /// A policy, or a component or module (binary or text); `-` reads it from stdin.
        file: PathBuf,
    },
    /// Show what is asked for more, and what less; exit with 1 if it is more.
    ///
    /// Policies are compared rule by rule, as they are written. Of components and modules, what
    /// they import is
    /// compared; with a file of another kind only which kinds of grants there are.
    Diff {
        /// A policy, or a component or module (binary or text).
        old: PathBuf,
        /// The same of later.
        new: PathBuf,
    },
}
