//! What parent and child of a compilation say to each other, as JSON heads; the component and the machine code are bodies.

use serde::{Deserialize, Serialize};

use crate::child::Confined;

/// What the parent asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Question {
    /// Only whether the child is there and what holds it.
    Probe,
    /// The component in the body, compiled.
    Compile {
        /// Whether the engine that will run it has a pool, which decides how the code checks bounds.
        pooled: bool,
    },
}

/// What the child answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// It is there.
    Ready {
        /// What holds it.
        confined: Confined,
    },
    /// The body is machine code.
    Compiled(Made),
    /// The component is refused; its author's fault.
    Invalid {
        /// Why.
        problem: String,
    },
    /// Compiling failed in a way in which it should not: a bug, or an attack on one.
    Fault {
        /// What happened.
        problem: String,
    },
}

/// Of what and for what machine code was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// SHA-256 of the component, in hexadecimal.
    pub(super) component: String,
    /// What the engine's version, settings and processor come to; equal where the code fits.
    pub(super) engine: String,
}
