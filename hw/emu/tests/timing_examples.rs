//! The worked examples of spec timing.md §9, by their numbers.

use reel_emu::time::figures::BLOCK_MB;
use reel_emu::time::{Column, Mechanism, Retension, Segment, WrapTable};
use reel_hw::BlockNumber;

use Column::{Lto5, Lto6, Lto7, Lto8, Lto9Full, Lto9Half, M8};

const FULL_SPEED: f64 = f64::INFINITY;

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

#[track_caller]
fn assert_s(found_s: f64, expected_s: f64) {
    assert_near(found_s, expected_s, 0.01);
}

fn locate_s(generation: Column, from: u64, to: u64) -> f64 {
    Mechanism::from(generation).locate_s(BlockNumber(from), BlockNumber(to))
}

fn stream_s(generation: Column, from: u64, objects: u64) -> f64 {
    Mechanism::from(generation).stream_s(BlockNumber(from), objects, FULL_SPEED)
}

#[track_caller]
fn assert_place(generation: Column, object: u64, wrap: u16, lpos: f64) {
    let place = WrapTable::nominal(generation.figures()).position(BlockNumber(object));
    assert_eq!(place.wrap, wrap);
    assert_near(place.lpos, lpos, 0.1);
}

#[test]
fn example_1_position() {
    let table = WrapTable::nominal(Lto8.figures());
    assert_eq!(table.ends()[3..5], [880_314, 1_100_393]);
    let place = table.position(BlockNumber(1_000_000));
    assert_eq!((place.wrap, place.band, place.zone), (4, 0, 1));
    assert_near(place.lpos, 94_277.85, 0.1);
}

#[test]
fn example_2_locate_from_the_load_point() {
    assert_s(locate_s(Lto8, 0, 1_000_000), 61.647);
}

#[test]
fn example_3_forward_and_back_on_one_wrap() {
    assert_s(locate_s(Lto8, 100_000, 105_000), 6.659);
    assert_s(locate_s(Lto8, 105_000, 100_000), 17.979);
    assert_s(locate_s(Lto8, 109_000, 111_500), 2.000);
}

#[test]
fn example_4_far() {
    assert_place(Lto9Full, 5_000_000, 20, 73_569.7);
    assert_place(Lto9Full, 40_000_000, 163, 164_524.9);
    assert_s(locate_s(Lto9Full, 5_000_000, 40_000_000), 45.292);
    assert_s(locate_s(Lto7, 1_000_000, 1_300_000), 51.955);
    assert_s(locate_s(Lto5, 2_000_000, 2_000_001), 4.420);
}

#[test]
fn example_5_read_through_or_locate() {
    let cases = [
        (Lto8, 20_000, 5_000, 3.591, 6.659),
        (Lto8, 20_000, 16_000, 11.491, 11.871),
        (Lto8, 20_000, 20_000, 14.364, 13.766),
        (Lto9Full, 1_000, 5_000, 3.213, 4.284),
        (Lto9Full, 1_000, 10_000, 6.425, 5.779),
        (Lto5, 1_000, 5_000, 9.179, 10.987),
        (Lto5, 1_000, 10_000, 18.357, 17.556),
    ];
    for (generation, from, gap, read_s, expected_s) in cases {
        assert_s(stream_s(generation, from, gap), read_s);
        assert_s(locate_s(generation, from, from + gap), expected_s);
    }
}

#[test]
fn example_6_over_a_wrap_end() {
    assert_s(stream_s(Lto8, 215_000, 16_384), 14.767);
    assert_s(stream_s(Lto6, 100_000, 16_384), 26.317);
}

#[test]
fn example_7_whole_tape() {
    for (generation, expected_s) in [(Lto8, 33_497.7), (Lto9Full, 44_954.6)] {
        let room = WrapTable::nominal(generation.figures()).room();
        assert_near(stream_s(generation, 0, room), expected_s, 0.06);
    }
    let hours = [2.984, 4.368, 5.539, 8.309, 9.305, 12.487, 16.572];
    for (generation, expected_h) in Column::ALL.into_iter().zip(hours) {
        let room = WrapTable::nominal(generation.figures()).room();
        assert_near(stream_s(generation, 0, room) / 3600.0, expected_h, 0.0006);
    }
}

#[test]
fn example_8_starved_writer() {
    let cases = [
        (Lto9Full, 100.0, [6.972, 5.369, 1234.1, 100.0, 810.0]),
        (Lto9Full, 160.0, [31.581, 4.000, 5589.8, 157.1, 179.0]),
        (Lto8, 80.0, [16.777, 6.711, 1879.0, 80.0, 532.0]),
        (Lto5, 46.0, [134.218, 4.000, 6308.2, 45.64, 159.0]),
    ];
    for (generation, host_mb_s, [run_s, idle_s, cycle_mb, rate_mb_s, stops]) in cases {
        let starving = generation.figures().starving(host_mb_s).unwrap();
        assert_s(starving.run_s, run_s);
        assert_s(starving.idle_s, idle_s);
        assert_near(starving.cycle_mb, cycle_mb, 0.06);
        assert_near(starving.rate_mb_s, rate_mb_s, 0.05);
        assert_near(starving.stops_per_tb, stops, 0.6);
    }
    assert_eq!(Lto9Full.figures().starving(177.0), None);
}

#[test]
fn example_9_stall() {
    let stall = |generation: Column, pause_s| {
        let figures = generation.figures();
        figures.stall(figures.top_mb_s, figures.buffer_mb, pause_s, 700.0)
    };
    let lost_s = [(2.0, 0.0), (2.7, 4.0), (6.0, 4.135)];
    for (pause_s, expected_s) in lost_s {
        assert_s(stall(Lto9Full, pause_s).runs_on_s, 2.632);
        assert_s(stall(Lto9Full, pause_s).lost_s, expected_s);
    }
    assert_eq!(stall(Lto9Full, 2.0).restarts_s, None);
    assert_s(stall(Lto9Full, 6.0).restarts_s.unwrap(), 6.767);
    assert_s(stall(Lto8, 30.0).runs_on_s, 2.942);
    assert_s(stall(Lto8, 30.0).restarts_s.unwrap(), 30.767);
    assert_s(stall(Lto8, 30.0).lost_s, 27.825);
}

#[test]
fn example_10_change_of_medium() {
    let head = BlockNumber(30_000_000);
    let lto9 = Mechanism::from(Lto9Full);
    assert_place(Lto9Full, head.0, 122, 63_528.5);
    assert_s(lto9.rewind_s(head), 38.719);
    let moves_and_label_s = 2.0 * 10.0 + 1.0;
    let kinds = [
        (Retension::None, 68.719, 106.719),
        (Retension::Once, 123.719, 161.719),
        (Retension::Twice, 178.719, 216.719),
    ];
    for (retension, unload_s, change_s) in kinds {
        let found_s = lto9.unload_s(head, retension);
        assert_s(found_s, unload_s);
        assert_s(found_s + moves_and_label_s + lto9.load_s(), change_s);
    }
    let lto8 = Mechanism::from(Lto8);
    assert_place(Lto8, head.0, 136, 55_722.5);
    assert_s(lto8.rewind_s(head), 39.378);
    assert_s(lto8.unload_s(head, Retension::None), 63.378);
    let change_s = lto8.unload_s(head, Retension::None) + moves_and_label_s + lto8.load_s();
    assert_s(change_s, 99.378);
}

const ORDER_EXAMPLE: [u64; 6] = [40_000_000, 9_000_000, 9_050_000, 23_000_000, 300_000, 31_500_000];

fn segments() -> Vec<Segment> {
    let segment = |first| Segment { first: BlockNumber(first), objects: 64 };
    ORDER_EXAMPLE.into_iter().map(segment).collect()
}

#[track_caller]
fn assert_order(order: &[usize], locates_s: [f64; 6], sum_s: f64) {
    let cost = Mechanism::from(Lto8).order_cost(BlockNumber(0), &segments(), order);
    for (found_s, expected_s) in cost.locates_s.iter().zip(locates_s) {
        assert_s(*found_s, expected_s);
    }
    assert_s(cost.locate_s(), sum_s);
    assert_s(cost.stream_s, 6.0 * 64.0 * BLOCK_MB / 365.0);
    assert_s(cost.total_s(), sum_s + 6.0 * 0.046);
}

#[test]
fn example_11_order() {
    assert_order(&[4, 1, 2, 3, 5, 0], [76.567, 43.093, 17.911, 57.979, 53.844, 73.025], 322.419);
    let shortest = Mechanism::from(Lto8).shortest_first(BlockNumber(0), &segments());
    assert_eq!(shortest, [0, 3, 4, 2, 5, 1]);
    assert_order(&shortest, [45.137, 40.632, 32.797, 36.192, 15.085, 22.047], 191.890);
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let with_head = |head: usize| {
        let rest: Vec<_> = items.iter().copied().filter(|item| *item != head).collect();
        permutations(&rest).into_iter().map(move |tail| [vec![head], tail].concat())
    };
    items.iter().flat_map(|head| with_head(*head)).collect()
}

#[test]
fn example_11_best_of_all_orders() {
    let lto8 = Mechanism::from(Lto8);
    let locate_s = |order: &[usize]| lto8.order_cost(BlockNumber(0), &segments(), order).locate_s();
    let orders = permutations(&[0, 1, 2, 3, 4, 5]);
    assert_eq!(orders.len(), 720);
    let best = orders.iter().min_by(|a, b| locate_s(a).total_cmp(&locate_s(b))).unwrap();
    assert_eq!(*best, [0, 3, 4, 5, 2, 1]);
    assert_s(locate_s(best), 190.080);
}

#[test]
fn example_12_averages_from_the_load_point() {
    let averages = [
        (Lto5, 60.3),
        (Lto6, 62.0),
        (Lto7, 55.9),
        (M8, 65.1),
        (Lto8, 65.1),
        (Lto9Full, 45.1),
        (Lto9Half, 65.2),
    ];
    for (generation, expected_s) in averages {
        let mechanism = Mechanism::from(generation);
        let sample: Vec<_> = (1..mechanism.wraps().room()).step_by(997).collect();
        let time_s = |to: &u64| mechanism.locate_s(BlockNumber(0), BlockNumber(*to));
        let average_s = sample.iter().map(time_s).sum::<f64>() / sample.len() as f64;
        assert_near(average_s, expected_s, 0.1);
    }
}

/// §6: where reading through and locating take the same, on one wrap and in one half of the tape.
#[test]
fn the_border_between_reading_and_locating() {
    let borders = [8465.0, 20_012.0, 8829.0, 12_383.0, 17_553.0, 8119.0, 9506.0];
    for (generation, expected) in Column::ALL.into_iter().zip(borders) {
        let figures = generation.figures();
        let more_s = |gap: u64| stream_s(generation, 0, gap) - locate_s(generation, 0, gap);
        let (mut low, mut high) = (1, figures.objects() / u64::from(figures.wraps) / 2 - 1);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if more_s(middle) > 0.0 { high = middle } else { low = middle }
        }
        assert_near(high as f64, expected, 2.0);
    }
}
