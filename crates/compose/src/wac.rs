//! Compositions written down in WAC.

use std::path::Path;

use dunlin_module::{TextError, escape};
use miette::Diagnostic;
use semver::Version;
use wac_graph::types::BorrowedPackageKey;
use wac_parser::Document;
use wac_parser::lexer::{Lexer, Token};
use wac_parser::resolution::Error as ResolutionError;

use crate::contained::contained;
use crate::deps::Deps;
use crate::error::{Error, ErrorKind};
use crate::plug::options;

/// How deep brackets may be nested in a text.
const DEPTH_MAX: usize = 100;

/// The packages of a composition at most.
const PACKAGES_MAX: usize = 1000;

/// Composes what a WAC text says, with packages from `deps`. `path` only names the text in messages.
///
/// # Errors
///
/// When the text is wrong, with the place; when a package is not there, or does not fit.
pub fn compose(text: &str, path: &Path, deps: &Deps) -> Result<Vec<u8>, Error> {
    contained(|| {
        let source = Source { text, path };
        source.check_depth()?;
        let document = Document::parse(text).map_err(|error| source.diagnosed(&error))?;
        let mut found: Vec<(String, Option<Version>, Vec<u8>)> = Vec::new();
        loop {
            let packages = found.iter().map(|(name, version, bytes)| {
                let key = BorrowedPackageKey::from_name_and_version(name, version.as_ref());
                (key, bytes.clone())
            });
            // Which packages there must be is known only by resolving: each time one is missing, it
            // is looked for, and all starts anew.
            let error = match document.resolve(packages.collect()) {
                Ok(resolution) => {
                    return resolution.encode(options()).map_err(|error| source.diagnosed(&error));
                }
                Err(error) => error,
            };
            let ResolutionError::UnknownPackage { name, span } = &error else {
                return Err(source.diagnosed(&error));
            };
            let version = source.version(span.offset(), span.len());
            let known = found.iter().any(|(n, v, _)| n == name && *v == version);
            let package = match known || found.len() >= PACKAGES_MAX {
                true => None,
                false => deps.find(name, version.as_ref())?,
            };
            match package {
                Some(package) => found.push((name.clone(), version, package)),
                None if known => return Err(source.diagnosed(&error)),
                None => {
                    return Err(source.diagnosed(&error).help(deps.advice(name, version.as_ref())));
                }
            }
        }
    })
}

/// A text, and what it is called.
struct Source<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Source<'_> {
    /// Refuses text that is nested deeper than the parser should descend.
    fn check_depth(&self) -> Result<(), Error> {
        let Ok(lexer) = Lexer::new(self.text) else {
            // The parser says why.
            return Ok(());
        };
        let mut depth = 0_usize;
        for (token, span) in lexer {
            match token {
                Ok(Token::OpenBrace | Token::OpenParen | Token::OpenAngle | Token::OpenBracket) => {
                    depth += 1
                }
                Ok(
                    Token::CloseBrace | Token::CloseParen | Token::CloseAngle | Token::CloseBracket,
                ) => depth = depth.saturating_sub(1),
                Ok(_) => {}
                Err(_) => break,
            }
            if depth > DEPTH_MAX {
                let message = format!("nested too deep: expected at most {DEPTH_MAX} brackets");
                return Err(self.at(span.offset(), &message));
            }
        }
        Ok(())
    }

    /// The version of the package that is named at a place.
    fn version(&self, start: usize, len: usize) -> Option<Version> {
        let named = self.text.get(start..start.checked_add(len)?)?;
        named.split_once('@')?.1.trim().parse().ok()
    }

    fn at(&self, offset: usize, message: &str) -> Error {
        Error::text(&TextError::at(self.text, offset, message, Some(self.path)))
    }

    /// What the parser has to say, where, and why.
    fn diagnosed<E: Diagnostic + 'static>(&self, error: &E) -> Error {
        let labels: Vec<_> = error.labels().into_iter().flatten().collect();
        let place = labels.iter().find(|label| label.primary()).or(labels.first());
        let message = error.to_string();
        let diagnosed = match place {
            Some(label) => self.at(label.offset(), &message),
            None => Error::new(ErrorKind::Text, escape(&message).to_string()),
        };
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        let help = error.help().map(|help| escape(&help.to_string()).to_string());
        help.into_iter().fold(diagnosed.because_of(causes), Error::help)
    }
}
