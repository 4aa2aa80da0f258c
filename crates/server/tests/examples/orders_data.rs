//! The orders of `plans/data/orders.csv`, made anew from nothing but a seed: the oracle of the report, and the file's origin.

use std::fmt::Write;

/// One row.
pub struct Order {
    pub number: u32,
    pub ordered_on: String,
    pub country: &'static str,
    pub customer: u32,
    pub category: &'static str,
    product: &'static str,
    pub quantity: u64,
    unit_cents: u64,
    pub status: &'static str,
    pub coupon: Option<&'static str>,
}

impl Order {
    pub fn total_cents(&self) -> u64 {
        self.quantity * self.unit_cents
    }
}

const ROWS: u32 = 3_600;
/// With how often each occurs, in percent.
const COUNTRIES: [(&str, u64); 8] = [("DE", 34), ("FR", 18), ("NL", 12), ("AT", 11), ("PL", 9), ("DK", 7), ("PT", 6), ("CZ", 3)];
const STATUSES: [(&str, u64); 4] = [("paid", 81), ("pending", 8), ("cancelled", 7), ("refunded", 4)];
const COUPONS: [&str; 3] = ["WELCOME10", "SPRING-5%", "007"];
/// Names as shops write them: with commas, quotes, dashes and letters beyond ASCII.
const PRODUCTS: [(&str, &str, u64); 12] = [
    ("office", "Notebook A5, dotted", 690),
    ("office", "Pen \"Classic\" 0.7 mm", 240),
    ("office", "Desk lamp, brass", 7_990),
    ("kitchen", "Café cup, set of 2", 2_450),
    ("kitchen", "Kettle 1.7 l", 5_490),
    ("kitchen", "Brotmesser 21 cm", 3_995),
    ("electronics", "Monitor 27\", matte", 24_900),
    ("electronics", "Keyboard KB-87", 8_790),
    ("electronics", "USB-C cable, 2 m", 1_290),
    ("garden", "Gießkanne 5 l", 1_850),
    ("garden", "Seeds = wild flowers", 395),
    ("garden", "Bench – oak", 31_900),
];

/// A small generator (splitmix64), so that the file does not depend on a library's.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn weighted<T: Copy>(&mut self, choices: &[(T, u64)]) -> T {
        let mut left = self.below(choices.iter().map(|(_, weight)| weight).sum());
        for (choice, weight) in choices {
            match left.checked_sub(*weight) {
                None => return *choice,
                Some(rest) => left = rest,
            }
        }
        unreachable!("what is below the sum of the weights is within one of them")
    }
}

/// Every order, in the order of its number and date.
pub fn orders() -> Vec<Order> {
    let mut dice = Dice(2_026);
    let first = jiff::civil::date(2025, 7, 1);
    let order = |number: u32| {
        let (category, product, unit_cents) = PRODUCTS[dice.below(12) as usize];
        Order {
            number,
            // A year of days, evenly.
            ordered_on: first.saturating_add(jiff::Span::new().days(i64::from(number * 365 / ROWS))).to_string(),
            country: dice.weighted(&COUNTRIES),
            // The square makes some customers come back often.
            customer: u32::try_from(dice.below(30) * dice.below(30)).expect("at most 841"),
            category,
            product,
            quantity: 1 + dice.below(3) * dice.below(3),
            unit_cents,
            status: dice.weighted(&STATUSES),
            coupon: COUPONS.get(dice.below(20) as usize).copied(),
        }
    };
    (1..=ROWS).map(order).collect()
}

/// The file's text: RFC 4180, with quotes only where they are needed.
pub fn csv(orders: &[Order]) -> String {
    let mut text = String::from("order,ordered_on,country,customer,category,product,quantity,unit_cents,total_cents,status,coupon\r\n");
    for order in orders {
        let Order { number, ordered_on, country, customer, category, product, quantity, unit_cents, status, coupon } = order;
        let product = if product.contains([',', '"']) { format!("\"{}\"", product.replace('"', "\"\"")) } else { (*product).to_owned() };
        let (total, coupon) = (order.total_cents(), coupon.unwrap_or_default());
        write!(
            text,
            "{number:07},{ordered_on},{country},c-{customer:04},{category},{product},{quantity},{unit_cents},{total},{status},{coupon}\r\n"
        )
        .expect("text takes everything");
    }
    text
}

#[test]
fn the_file_is_what_is_made_here() {
    let made = csv(&orders());
    let file = super::world::folder().join("data/orders.csv");
    if std::fs::read_to_string(&file).ok().as_deref() != Some(made.as_str()) {
        let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("orders.csv");
        std::fs::write(&place, made).unwrap();
        panic!("plans/data/orders.csv is another one; as it is made here it lies in {}", place.display());
    }
}
