//! The node without its hardware: when to sample, what to keep, what to say next.
//!
//! No I/O but the flash behind [`embedded_storage_async`], no clock, no randomness of its own: all of it
//! comes as arguments. A board owns the sensors, the MQTT client and the clock, and runs this loop:
//!
//! ```text
//! let mut node = Node::<_, PAGES>::open(flash, config, random).await?;
//! let mut schedule = Schedule::new(node.interval_ms(), now);
//! loop {
//!     // Sampling goes on whether there is a link or not.
//!     match schedule.poll(now, &mut probes) {                    // probes: &mut [&mut dyn Probe]
//!         Step::Wait(until) => {}
//!         Step::Round(round) => {
//!             let recorded = node.record(round.at, &round.readings, Origin::Live).await?;
//!             // recorded.first, .count, .uptime: the ledger, after the flash has it
//!         }
//!     }
//!     // Connect with the will node.will(&mut buf)?, retain false, QoS 1; subscribe node.subscriptions().
//!     // Once both are acknowledged by the broker: node.connected(now); when it breaks: node.disconnected().
//!     while let Some(publish) = node.next_publish(now, &mut buf).await? {
//!         // publish.topic, .payload, .qos (1), .retain; if the client does not take it:
//!         // node.publish_failed(), and stop.
//!     }
//!     // For each message that arrives:
//!     match node.receive(now, topic, payload).await? {
//!         Some(Action::Interval(ms)) => schedule.set_interval(now, ms),
//!         Some(Action::Identify) => {}                            // blink
//!         Some(Action::Reboot) => {}                              // publish what is left, then restart
//!         None => {}
//!     }
//!     // Sleep until the earlier of schedule.next_wake() and node.next_wake(now) (None: nothing to do),
//!     // or until a message or the end of the connection comes.
//! }
//! ```
