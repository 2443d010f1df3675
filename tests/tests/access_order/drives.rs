//! What drives of both makers tell of how places lie to each other (spec scsi.md §19).

use reel_emu::{Generation, Maker};
use reel_hw::scsi::density::Density;

use crate::scene::Scene;
use crate::{model, with_drive};

#[test]
fn drives_tell_what_their_generation_knows() {
    // Maker, generation, full height; whether it makes orders, and tells where wraps end.
    let drives = [
        (Maker::Ibm, Generation::Lto9, true, true, true),
        (Maker::Ibm, Generation::Lto9, false, false, true),
        (Maker::Hp, Generation::Lto9, true, true, false),
        (Maker::Ibm, Generation::Lto8, true, false, true),
        (Maker::Hp, Generation::Lto8, true, false, false),
        (Maker::Ibm, Generation::Lto6, true, false, false),
    ];
    for (maker, generation, full_height, makes_orders, tells_wraps) in drives {
        let model = model(maker, generation, full_height);
        let scene = Scene::new(model.clone());
        let ranges = [30, 2, 17, 5].map(|number| scene.range_of(number));
        let (order, ends, density) = with_drive(&scene, |drive| {
            let order = drive.access_order(&ranges).unwrap();
            (order, drive.wrap_ends().unwrap(), drive.density().unwrap())
        });
        assert_eq!(order.is_some(), makes_orders, "{model:?}");
        assert_eq!(ends.is_some(), tells_wraps, "{model:?}");
        assert_eq!(density.map(Density::code), Some(generation.density()));
        if let Some(mut order) = order {
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3]);
        }
        if let Some(ends) = ends {
            assert!(ends.len() > 10 && ends.is_sorted(), "{ends:?}");
        }
    }
}
