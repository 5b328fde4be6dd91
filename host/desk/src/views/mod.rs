//! What people look at, one file a view: plain data that serialises, made by functions from verified things and the time
//! that is passed in. Nothing here reads a file, a network or a clock, and nothing prints.

pub mod call;
pub mod domains;
pub mod module_page;
pub mod quantity;
pub mod queue;
pub mod receipts;
pub mod review_sheet;
pub mod services;
pub mod shown;
pub mod signing_sheet;

pub use call::CallView;
pub use domains::Domains;
pub use module_page::{ModuleLine, ModulePage, Modules};
pub use queue::Queue;
pub use receipts::{ReceiptChecks, Receipts};
pub use review_sheet::ReviewSheet;
pub use services::{ServicePages, Services};
pub use shown::Shown;
pub use signing_sheet::SigningSheet;
