//! A statement as its signer is shown it: all of it.

use iog_desk::text::escaped;
use iog_desk::views::SigningSheet;
use iog_desk::views::signing_sheet::Member;

use crate::ui::Ui;

/// A statement as it will be signed, whole, a group after another.
pub(super) fn show(ui: Ui, sheet: &SigningSheet) {
    let print = |members: &[Member]| {
        let width = members.iter().map(|member| member.path.chars().count()).max().unwrap_or(0);
        for member in members {
            let line = format!("  {:<width$}  {}", member.path, escaped(&member.value));
            if ui.fits(&line) {
                ui.line(line);
            } else {
                // Carried over, a part of a value could pass for a member: each line of it has a mark instead.
                ui.line(format!("  {}", member.path));
                ui.block(&escaped(&member.value));
            }
        }
    };
    ui.title("what is signed");
    print(&sheet.about);
    for group in &sheet.groups {
        ui.title(&group.name);
        print(&group.members);
    }
    ui.gap();
}
