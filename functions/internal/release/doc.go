// Package release holds the pure rules of a release: functions of their arguments alone, without
// AWS, a clock or a ledger.
//
//   - ParseTrigger reads the input of an execution.
//   - OpenArchive checks a zip of the bundle; RenderSite prepares its pages for an environment.
//   - RampStep, Budget and Calendar decide how far and when the ramp grows.
//   - Judge turns the metrics into a verdict. Comparison is the sequential test behind it.
package release
