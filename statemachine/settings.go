package statemachine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Settings is what the infrastructure tells the steps: settings.json in the state bucket.
type Settings struct {
	App         string                 `json:"app"`
	StateBucket string                 `json:"stateBucket"`
	SiteBuckets map[Environment]string `json:"siteBuckets"`
	// where viewers go; the API is below it, at /api-a and /api-b
	SiteURL string `json:"siteUrl"`
	API     string `json:"api"`     // id of the REST API
	APIName string `json:"apiName"` // the dimension ApiName of its metrics
	// empty where Lambda@Edge routes: it reads route.json
	KeyValue  string        `json:"keyValueStore"`
	Bus       string        `json:"bus"`
	Machine   string        `json:"stateMachine"`
	Schedules Schedules     `json:"schedules"`
	Functions []AppFunction `json:"functions"`
	Alarms    []Alarm       `json:"alarms"`
	Database  *Database     `json:"database,omitempty"`
	Ramp      RampPlan      `json:"ramp"`
	// when viewers may be moved upward; none is always
	Windows []Window       `json:"windows"`
	Verdict VerdictPlan    `json:"verdict"`
	Metrics []Metric       `json:"metrics,omitempty"`
	Drain   DrainPlan      `json:"drain"`
	Queue   QueuePolicy    `json:"queue"`
	Probe   *ProbeFunction `json:"probe,omitempty"`
	// how often Recover looks for what nobody told it
	Sweep       Duration `json:"sweep"`
	CallTimeout Duration `json:"callTimeout"` // how long a call may be in flight
	// the resolution of the metrics: a minute on AWS
	MetricPeriod Duration `json:"metricPeriod"`
	// EdgeConvergence is how long a new route takes to reach every edge location.
	EdgeConvergence Duration `json:"edgeConvergence"`
}

// Schedules says where the ramp's one-time schedules live and as whom they run.
type Schedules struct {
	Group string `json:"group"`
	Role  string `json:"role"`
}

// AppFunction is a function of the application: its name in manifests and its Lambda.
type AppFunction struct {
	Name   string `json:"name"`
	Lambda string `json:"lambda"`
	// Live says that events call it, by the alias LiveAlias.
	Live bool `json:"live,omitempty"`
}

// Alarm is a CloudWatch alarm that judges one environment, or, as that of LiveAlias, what events
// call: that is the release's doing once it is promoted.
type Alarm struct {
	Name        string      `json:"name"`
	Environment Environment `json:"environment"`
}

// Database names the secret that holds the connection: {host, port, dbname, username, password},
// and says how long the application may be kept waiting; where it does not, the defaults hold.
type Database struct {
	Secret string `json:"secret"`
	// what one of its queries may wait for a change of the schema
	LockTimeout Duration `json:"lockTimeout,omitzero"`
	// how long a step tries again where the application is in the way
	Patience Duration `json:"patience,omitzero"`
}

// RampPlan is how the weight grows.
type RampPlan struct {
	Steps []RampStep `json:"steps"`
	// Linear and Exponential stand for steps; Expanded writes them out.
	Linear      *Linear      `json:"linear,omitempty"`
	Exponential *Exponential `json:"exponential,omitempty"`
	// HarmBudget, in place of steps, is how many calls a release that fails every call may harm before
	// anybody can know of it: the weight grows with the evidence, so fast that a good release is over
	// within Within.
	HarmBudget float64  `json:"harmBudget,omitempty"`
	Within     Duration `json:"within,omitzero"`
	// MinimumRequests is how many calls the active stage must have had in a bake for a verdict.
	MinimumRequests int `json:"minimumRequests"`
	// MaxExtensions is how often an inconclusive bake is prolonged before OnInconclusive decides.
	MaxExtensions  int            `json:"maxExtensions"`
	OnInconclusive OnInconclusive `json:"onInconclusive"`
}

// RampStep is a share of the viewers and how long it is watched.
type RampStep struct {
	Percent float64  `json:"percent"`
	Bake    Duration `json:"bake"`
	// Approval says that somebody must agree before this share is reached.
	Approval bool `json:"approval,omitempty"`
}

// OnInconclusive is what to do when the metrics never say enough.
type OnInconclusive string

const (
	Hold           OnInconclusive = "hold"
	RollBackUnsure OnInconclusive = "rollback"
)

// QueuePolicy is what becomes of merges while a release is under way; empty is Supersede.
type QueuePolicy string

const (
	Supersede QueuePolicy = "supersede" // the newest waits, and takes the place of older ones
	InTurn    QueuePolicy = "queue"     // all wait, in the order of their sequence
	RefuseNew QueuePolicy = "refuse"    // none waits
)

// DrainPlan is when the old environment counts as left: quiet for Quiet, or AtMost passed. Then
// tells what happens then: the contract, or, so that there is a way back for longer, a hold until
// the operator's word, or HoldAtMost.
type DrainPlan struct {
	Quiet      Duration `json:"quiet"`
	AtMost     Duration `json:"atMost"`
	Then       DrainEnd `json:"then,omitempty"`
	HoldAtMost Duration `json:"holdAtMost"`
}

// DrainEnd is what follows the drain.
type DrainEnd string

const (
	ThenContract DrainEnd = "contract"
	ThenHold     DrainEnd = "hold"
)

// ProbeFunction is a Lambda of the team's that looks at active before any viewer does.
type ProbeFunction struct {
	Function string   `json:"function"` // name or ARN
	Timeout  Duration `json:"timeout"`
}

// ProbeQuestion is what a team's Lambda is asked.
type ProbeQuestion struct {
	Environment Environment `json:"environment"`
	Release     string      `json:"release"`
	APIBase     string      `json:"apiBase"` // the API of the environment, on the site
	SiteURL     string      `json:"siteUrl"`
}

// ProbeAnswer is what it must answer: anything but an ok that is true rolls the release back.
type ProbeAnswer struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason"`
}

// Duration is a time.Duration that reads and writes as "1m30s".
type Duration time.Duration

const aDuration = `a duration like "90s", "5m" or "1h30m"`

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "1m30s".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return fmt.Errorf("found %q, expected %s", text, aDuration)
	}

	*d = Duration(parsed)

	return nil
}

// UnmarshalJSON reads "1m30s" in JSON. Only to an error of its own kind does encoding/json add the
// field that it was reading.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil || d.UnmarshalText([]byte(text)) != nil {
		return &json.UnmarshalTypeError{Value: "value " + string(data), Type: reflect.TypeFor[Duration]()}
	}

	return nil
}

// ParseSettings reads settings.json. A field that it does not know is let through: a release under
// way keeps the version of Lockstep that it began with, and a newer one may have written the file.
func ParseSettings(data []byte) (Settings, error) {
	var s Settings
	if err := json.Unmarshal(data, &s); err != nil {
		return Settings{}, fmt.Errorf("%s: %w", SettingsKey, describeJSON(data, err))
	}

	return s, nil
}

// AlarmNames lists the alarms of the given environments, of both without any.
func (s Settings) AlarmNames(of ...Environment) []string {
	var names []string

	for _, a := range s.Alarms {
		if len(of) == 0 || slices.Contains(of, a.Environment) {
			names = append(names, a.Name)
		}
	}

	return names
}

// CheckManifest refuses what of a release the application has no place for. The error names file,
// which is where the manifest was found.
func (s Settings) CheckManifest(file string, m Manifest) error {
	names := make([]string, len(s.Functions))
	for i, f := range s.Functions {
		names[i] = f.Name
	}

	for _, name := range m.FunctionNames() {
		if !slices.Contains(names, name) {
			return Errorf(InvalidRelease, "%s: functions.%s: not a function of %s, which has %s", file, name,
				s.App, cmp.Or(strings.Join(names, ", "), "none"))
		}
	}

	if m.Migrations != nil && s.Database == nil {
		return Errorf(InvalidRelease, "%s: migrations: found some, but %s has no database", file, s.App)
	}

	return nil
}

// JSON writes the settings as the object that ParseSettings reads.
func (s Settings) JSON() []byte {
	data, _ := json.MarshalIndent(s, "", "  ")
	return data
}
