//! Counts words, for whoever imports `dunlin:words/words`.

use std::collections::BTreeMap;

use exports::dunlin::words::words::{Guest, GuestIndex, Word};

wit_bindgen::generate!({ path: "../wit", world: "counter" });

struct Counter;

struct Index(BTreeMap<String, Vec<u32>>);

fn words(text: &str) -> impl Iterator<Item = String> {
    let split = text.split(|c: char| !c.is_alphanumeric() && c != '☂');
    split.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

impl Guest for Counter {
    type Index = Index;

    fn most_frequent(text: String, limit: u32) -> Vec<Word> {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for word in words(&text) {
            *counts.entry(word).or_default() += 1;
        }
        let mut all: Vec<Word> = counts.into_iter().map(|(text, count)| Word { text, count }).collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then(a.text.cmp(&b.text)));
        all.truncate(limit as usize);
        all
    }
}

impl GuestIndex for Index {
    fn new(text: String) -> Index {
        let mut places: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (place, word) in words(&text).enumerate() {
            places.entry(word).or_default().push(place as u32);
        }
        Index(places)
    }

    fn find(&self, word: String) -> Result<Vec<u32>, String> {
        self.0.get(&word).cloned().ok_or_else(|| format!("no `{word}`"))
    }
}

export!(Counter);
