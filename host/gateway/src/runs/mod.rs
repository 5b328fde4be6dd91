//! What happens to a request once its sender is known: taken in (`submit`), brought to its receipt (`lifecycle`), watched on
//! the way (`under_way`). How it ended is one type (`ending`).

pub mod ending;
pub mod lifecycle;
pub mod submit;
pub mod under_way;

#[cfg(test)]
pub(crate) mod tests;
