//! The desk over a small registry: every view as JSON in a golden file, every decision judged by the registry's own rules.
//! `INSTA_UPDATE=always` writes the golden files anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod decisions;
mod views;
mod world;
