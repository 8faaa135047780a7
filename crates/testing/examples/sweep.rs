//! Sweeps memory accesses in all configurations until there were so many: `sweep [accesses] [first round]`.

#![expect(clippy::print_stdout, reason = "it is run by people, who want to know")]

use dunlin_testing::sweep;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| {
        let argument = arguments.next();
        argument.map_or(Ok(default), |text| text.replace('_', "").parse::<u64>())
    };
    let (Ok(wanted), Ok(first)) = (number(10_000_000), number(0)) else {
        println!("usage: sweep [accesses] [first round]");
        std::process::exit(2);
    };
    match sweep::widening(&sweep::all(), 0, 1) {
        Ok(tally) => println!("{} loads of last bytes in instructions", tally.accesses),
        Err(wrong) => {
            println!("{wrong}");
            std::process::exit(1);
        }
    }
    let (mut accesses, mut trapped) = (0, 0);
    for round in first.. {
        match sweep::round(&sweep::all(), round, 1) {
            Ok(tally) => {
                accesses += tally.accesses;
                trapped += tally.trapped;
            }
            Err(wrong) => {
                println!("{wrong}");
                std::process::exit(1);
            }
        }
        println!("round {round}: {accesses} accesses, {trapped} of them trapped");
        if accesses >= wanted {
            break;
        }
    }
}
