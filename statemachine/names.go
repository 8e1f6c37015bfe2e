package statemachine

import (
	"fmt"
	"strings"
)

// Environment is one of the two complete stacks.
type Environment string

const (
	A Environment = "a"
	B Environment = "b"
)

// Environments lists both.
func Environments() []Environment { return []Environment{A, B} }

// Other is the environment that e is not.
func (e Environment) Other() Environment {
	if e == A {
		return B
	}

	return A
}

// Alias is the Lambda alias of the environment, which every function has.
func (e Environment) Alias() string { return string(e) }

// LiveAlias is the alias of a function to which its event sources are bound: it follows the
// release that serves.
const LiveAlias = "live"

// Stage is the API stage of the environment, and so the first path segment of its calls.
func (e Environment) Stage() string { return "api-" + string(e) }

// Names that the infrastructure gives, the steps use and the edge reads.
const (
	// RouteKey is the one key of the key-value store.
	RouteKey = "route"
	// RouteObject is the same in the state bucket, for Lambda@Edge.
	RouteObject = "route.json"

	// Stage variables: which alias the stage's integrations call, and which release that is.
	StageVariableAlias   = "alias"
	StageVariableRelease = "release"
	// NoRelease is the value of StageVariableRelease while a stage has no release yet: a variable
	// cannot be empty, and no release can have this id.
	NoRelease = "-"

	// Object metadata (x-amz-meta-...) on everything in a site bucket.
	MetadataEnvironment = "lockstep-env"
	MetadataRelease     = "lockstep-release"

	// Placeholders that Deploy fills in on entry pages.
	PlaceholderAPI         = "%LOCKSTEP_API%"
	PlaceholderRelease     = "%LOCKSTEP_RELEASE%"
	PlaceholderEnvironment = "%LOCKSTEP_ENVIRONMENT%"

	// PreviewQuery opens the preview with a release's secret, and closes it with PreviewOff.
	PreviewQuery = "lockstep-preview"
	PreviewOff   = "off"

	// Events on the bus.
	Source            = "lockstep"
	SourceCI          = "lockstep.ci"
	SourceOperator    = "lockstep.operator"
	DetailMerge       = "Release Merged"
	DetailStateChange = "Release State Change"
	DetailOperator    = "Operator Request"
	DetailParameter   = "Parameter Store Change" // from aws.ssm
	DetailAlarm       = "CloudWatch Alarm State Change"
	DetailScheduled   = "Scheduled Event" // of EventBridge's own, for a rule with a rate

	// StateBucketVariable is the one environment variable that every Lambda needs; the object
	// SettingsKey in that bucket tells it the rest.
	StateBucketVariable = "LOCKSTEP_STATE_BUCKET"
	SettingsKey         = "settings.json"

	// Where things lie in the state bucket.
	LockKey        = "ledger/lock.json"
	ReleasesPrefix = "releases/"
	RecordsPrefix  = "ledger/releases/"
)

// ControlParameter is the SSM parameter that says which environment is active.
func ControlParameter(app string) string { return fmt.Sprintf("/lockstep/%s/environments", app) }

// FreezeParameter is the SSM parameter that stops every ramp, and every release from beginning:
// its value is the reason. People write it, with lockstep or in the console.
func FreezeParameter(app string) string { return fmt.Sprintf("/lockstep/%s/freeze", app) }

// Unfrozen is the value of the freeze parameter where nothing is frozen: SSM keeps no empty one.
const Unfrozen = "off"

// FreezeReason is the reason in the freeze parameter's value, "" for none.
func FreezeReason(value string) string {
	value = strings.TrimSpace(value)
	if strings.EqualFold(value, Unfrozen) {
		return ""
	}

	return value
}

// ManifestKey is the object that describes a release; whatever else the release has lies beside it.
func ManifestKey(release string) string { return ReleasesPrefix + release + "/release.json" }

// RecordKey is the ledger's record of a release.
func RecordKey(release string) string { return RecordsPrefix + release + ".json" }

// EnvironmentKey is the ledger's note of what an environment carries.
func EnvironmentKey(e Environment) string { return fmt.Sprintf("ledger/environments/%s.json", e) }

// RetryCommand is the command that starts a release anew, whatever became of it in an execution
// before.
func RetryCommand(execution, release string) string {
	machine := "ARN" // where it is not known: the outputs of the stack have it

	if part := strings.Split(execution, ":"); len(part) == 8 {
		part[5] = "stateMachine"
		machine = strings.Join(part[:7], ":")
	}

	input := fmt.Sprintf(`{"release":%q}`, release)

	return fmt.Sprintf("aws stepfunctions start-execution --state-machine-arn %s --input '%s'",
		machine, input)
}

// Control is the value of the control parameter.
type Control struct {
	Active   Environment `json:"active"`
	Fallback Environment `json:"fallback"`
}

// Route is the one value that the edge reads. Weight is in basis points, 0 to 10000.
type Route struct {
	Active   Environment `json:"active"`
	Fallback Environment `json:"fallback"`
	Weight   int         `json:"weight"`
	Release  string      `json:"release"`
	// Preview is the SHA-256, in hex, of the secret with which a tester is served by active at any
	// weight; empty while active has nothing to show.
	Preview string `json:"preview,omitempty"`
}

// FullWeight is the weight at which active serves everyone.
const FullWeight = 10000

// LambdaName is the name of one of Lockstep's Lambdas.
func LambdaName(app string, task Task) string {
	return "lockstep-" + app + "-" + strings.ToLower(string(task))
}
