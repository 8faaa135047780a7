//! Runs random guests of `mixed` in some configurations each: `mixed [modules] [first seed]`. To see one,
//! `mixed text SEED`; to run a changed one, `mixed file SEED CONFIGURATION`, with the text as input.

#![expect(clippy::print_stdout, reason = "it is run by people, who want to know")]

use dunlin_testing::mixed;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        arguments.get(at).map_or(Ok(default), |text| text.replace('_', "").parse::<u64>())
    };
    if arguments.first().is_some_and(|first| first == "text") {
        println!("{}", mixed::text(number(1, 0).unwrap_or_default()));
        return;
    }
    if arguments.first().is_some_and(|first| first == "file") {
        let text = std::io::read_to_string(std::io::stdin()).unwrap_or_default();
        let name = arguments.get(2).map_or("", String::as_str);
        let all: Vec<_> = mixed::all().into_iter().filter(|c| c.name == name).collect();
        let all: Vec<_> = mixed::all().into_iter().take(1).chain(all).collect();
        let seed = number(1, 0).unwrap_or_default();
        println!("{:?}", mixed::compare(&all, &text, seed, &mut mixed::Tally::default()));
        return;
    }
    let (Ok(count), Ok(first)) = (number(0, 1000), number(1, 0)) else {
        println!("usage: mixed [modules] [first seed]");
        std::process::exit(2);
    };
    let all = mixed::all();
    let (mut tally, mut wrong) = (mixed::Tally::default(), 0);
    for seed in first..first.saturating_add(count) {
        if let Err(difference) = mixed::round(&mixed::pick(&all, seed), seed, &mut tally) {
            println!("seed {seed}: {difference}");
            wrong += 1;
        }
        if seed % 100 == 99 {
            println!("{seed}: {tally:?}, {wrong} wrong");
        }
    }
    println!("{tally:?}, {wrong} wrong");
    std::process::exit(i32::from(wrong > 0));
}
