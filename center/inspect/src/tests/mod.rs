//! Components built for the purpose: good ones, ones that must be refused, and broken ones.

mod build;
mod checks;
mod components;
mod hostile;
mod schemas;
mod sizes;
