//! What `--tiers` prints when a program has ended.

use std::fmt::{self, Write};
use std::time::Duration;

use dunlin::{CompiledCode, Entry, TierReport};
use dunlin_module::escape;

use crate::flags::ReportFlag;
use crate::json::Json;
use crate::quantity::Size;

/// What was compiled, ready to be printed.
pub(crate) struct TierTable {
    total: TierReport,
    rows: Vec<Row>,
}

/// Something that was compiled, or stays interpreted.
struct Row {
    func: u32,
    name: Option<String>,
    /// The offset of the loop that it is entered at, if it is one.
    at_loop: Option<u32>,
    asked: Duration,
    seen: Duration,
    compiling: Duration,
    outcome: Result<u64, String>,
    osr_entries: u64,
}

impl TierTable {
    pub(crate) fn new(mut report: TierReport) -> TierTable {
        let row = |line: &CompiledCode| Row {
            func: line.func.0,
            name: line.module.func_name(line.func).map(str::to_owned),
            at_loop: match line.entry {
                Entry::Function => None,
                Entry::Loop(offset) => Some(offset),
            },
            asked: line.asked,
            seen: line.heat,
            compiling: line.took,
            outcome: line.outcome.clone(),
            osr_entries: line.osr_entries,
        };
        let lines = std::mem::take(&mut report.lines);
        TierTable { total: report, rows: lines.iter().map(row).collect() }
    }

    pub(crate) fn print(&self, format: ReportFlag) -> String {
        match format {
            ReportFlag::Text => self.to_string(),
            ReportFlag::Json => format!("{}\n", self.json()),
        }
    }

    fn json(&self) -> Json {
        let row = |row: &Row| {
            Json::Object(vec![
                ("function", u64::from(row.func).into()),
                ("name", row.name.clone().into()),
                ("loop", row.at_loop.map(u64::from).into()),
                ("asked_us", micros(row.asked)),
                ("interpreted_us", micros(row.seen)),
                ("compiling_us", micros(row.compiling)),
                ("bytes", row.outcome.as_ref().ok().copied().into()),
                ("refused", row.outcome.as_ref().err().cloned().into()),
                ("loop_entries", row.osr_entries.into()),
            ])
        };
        Json::Object(vec![
            ("compiled", self.total.compiled.into()),
            ("refused", self.total.refused.into()),
            ("compiling_us", micros(self.total.compiling)),
            ("native_bytes", self.total.native_bytes.into()),
            ("interpreted_us", micros(self.total.interpreted)),
            ("elsewhere_us", micros(self.total.elsewhere)),
            ("loop_entries", self.total.osr_entries.into()),
            ("code", Json::List(self.rows.iter().map(row).collect())),
        ])
    }
}

fn micros(time: Duration) -> Json {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).into()
}

/// Milliseconds with one digit behind the point.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1} ms", self.0.as_secs_f64() * 1e3);
        f.pad(&text)
    }
}

impl Row {
    /// Which function or loop, and how often that was entered.
    fn subject(&self) -> String {
        let mut text = match &self.name {
            Some(name) => format!("`{}`", escape(name)),
            None => format!("function {}", self.func),
        };
        if let Some(offset) = self.at_loop {
            // A `String` takes everything.
            let _ = write!(text, ", loop at {offset:#x}");
            let _ = match self.osr_entries {
                0 => write!(text, ", not entered"),
                1 => write!(text, ", entered once"),
                times => write!(text, ", entered {times} times"),
            };
        }
        text
    }
}

impl fmt::Display for TierTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = &self.total;
        if total.compiled + total.refused == 0 {
            return writeln!(f, "tiers: nothing was compiled");
        }
        if !self.rows.is_empty() {
            writeln!(
                f,
                "{:>10} {:>11} {:>11} {:>10}  what",
                "asked at", "seen", "compiling", "code"
            )?;
        }
        for row in &self.rows {
            let (asked, seen, compiling) =
                (Millis(row.asked), Millis(row.seen), Millis(row.compiling));
            write!(f, "{asked:>10} {seen:>11} {compiling:>11} ")?;
            match &row.outcome {
                Ok(bytes) => writeln!(f, "{:>10}  {}", Size(*bytes).to_string(), row.subject())?,
                Err(why) => writeln!(f, "{:>10}  {}: {}", "-", row.subject(), escape(why))?,
            }
        }
        writeln!(
            f,
            "tiers: compiled {} in {}, {} of code; {} stay interpreted; {} loops taken over",
            total.compiled,
            Millis(total.compiling),
            Size(total.native_bytes),
            total.refused,
            total.osr_entries,
        )?;
        writeln!(
            f,
            "tiers: about {} interpreted, {} in native code or in the host",
            Millis(total.interpreted),
            Millis(total.elsewhere),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TierTable {
        let millis = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        let row = |name: Option<&str>, at_loop, outcome, osr_entries| Row {
            func: 7,
            name: name.map(str::to_owned),
            at_loop,
            asked: millis(12.34),
            seen: millis(3.0),
            compiling: millis(1.25),
            outcome,
            osr_entries,
        };
        let mut total = TierReport::default();
        total.compiled = 3;
        total.refused = 1;
        total.compiling = millis(5.0);
        total.native_bytes = 9000;
        total.interpreted = millis(80.0);
        total.elsewhere = millis(920.0);
        total.osr_entries = 2;
        let rows = vec![
            row(Some("fib"), None, Ok(312), 0),
            row(None, Some(0x1a2), Ok(4096), 2),
            row(None, Some(0x1b0), Ok(4592), 0),
            row(Some("\u{1b}[1m"), None, Err("only interpreted: resume".into()), 0),
        ];
        TierTable { total, rows }
    }

    #[test]
    fn tables_are_for_people() {
        let expected = r"  asked at        seen   compiling       code  what
   12.3 ms      3.0 ms      1.2 ms  312 bytes  `fib`
   12.3 ms      3.0 ms      1.2 ms      4 KiB  function 7, loop at 0x1a2, entered 2 times
   12.3 ms      3.0 ms      1.2 ms    4.5 KiB  function 7, loop at 0x1b0, not entered
   12.3 ms      3.0 ms      1.2 ms          -  `\u{1b}[1m`: only interpreted: resume
tiers: compiled 3 in 5.0 ms, 8.8 KiB of code; 1 stay interpreted; 2 loops taken over
tiers: about 80.0 ms interpreted, 920.0 ms in native code or in the host
";
        assert_eq!(table().print(ReportFlag::Text), expected);
        let nothing = TierTable { total: TierReport::default(), rows: Vec::new() };
        assert_eq!(nothing.to_string(), "tiers: nothing was compiled\n");
    }

    #[test]
    fn json_is_for_programs() {
        let mut table = table();
        table.rows.truncate(2);
        table.rows.remove(0);
        let expected = r#"{
  "compiled": 3,
  "refused": 1,
  "compiling_us": 5000,
  "native_bytes": 9000,
  "interpreted_us": 80000,
  "elsewhere_us": 920000,
  "loop_entries": 2,
  "code": [
    {
      "function": 7,
      "name": null,
      "loop": 418,
      "asked_us": 12340,
      "interpreted_us": 3000,
      "compiling_us": 1250,
      "bytes": 4096,
      "refused": null,
      "loop_entries": 2
    }
  ]
}
"#;
        assert_eq!(table.print(ReportFlag::Json), expected);
    }
}
