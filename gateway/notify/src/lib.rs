//! From transitions of alarms to messages that reach people: whom, in which words, by which channel.
