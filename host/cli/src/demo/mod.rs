//! `iog demo`.
mod generate;
