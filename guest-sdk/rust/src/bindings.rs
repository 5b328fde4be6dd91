//! The interfaces of `guest-sdk/wit` as Rust functions, generated when this crate is compiled. Nothing is written here
//! by hand; the rest of the crate puts a typed face on it.

wit_bindgen::generate!({
    path: "../wit",
    world: "iog:guest/sdk",
    generate_all,
});
