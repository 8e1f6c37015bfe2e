package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Source is what calls a function besides the API: exactly one of a schedule, a pattern, a queue, a
// topic or a stream. It calls the function's alias live, because an event has no viewer by whom a
// ramp could route it.
type Source struct {
	Schedule string         `json:"schedule"` // "rate(5 minutes)" or "cron(0 6 * * ? *)", in UTC
	Pattern  map[string]any `json:"pattern"`  // EventBridge's event pattern
	Bus      string         `json:"bus"`      // the pattern's; empty for "default"
	Queue    string         `json:"queue"`    // ARN of an SQS queue
	Topic    string         `json:"topic"`    // ARN of an SNS topic
	Stream   string         `json:"stream"`   // ARN of a Kinesis or DynamoDB stream
	// Batch is how many messages of a queue (10 by default) or records of a stream (100) one call
	// takes.
	Batch int `json:"batch"`
}

// Handed tells whether Lambda itself holds an event until the function has processed it. Queues and
// streams hold their own.
func (s Source) Handed() bool { return s.Queue == "" && s.Stream == "" }

// maxSources keeps the policy of a function's alias below Lambda's 20 KB.
const maxSources = 20

var (
	schedulePattern = regexp.MustCompile(
		`^(rate\([1-9]\d* (minute|minutes|hour|hours|day|days)\)|cron\((\S+ ){5}\S+\))$`)
	queuePattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?$`)
	topicPattern  = regexp.MustCompile(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$`)
	streamPattern = regexp.MustCompile(`^arn:aws[a-z-]*:(` +
		`kinesis:[a-z0-9-]+:\d{12}:stream/[A-Za-z0-9_.-]{1,128}|` +
		`dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]{3,255}/stream/\S+)$`)
	busPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`)
)

// patternFields are the fields of an event, which a pattern may match, and the operator $or.
var patternFields = []string{
	"account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version",
	"$or",
}

func (f Function) checkEvents(at string) error {
	if len(f.Events) > maxSources {
		return found(at+".events", len(f.Events), "at most %d: a function's policy has no room for more",
			maxSources)
	}

	bound := map[string]int{}

	for i, s := range f.Events {
		at := fmt.Sprintf("%s.events[%d]", at, i)
		if err := s.check(at); err != nil {
			return err
		}

		arn := s.Queue + s.Topic + s.Stream
		if other, twice := bound[arn]; twice && arn != "" {
			return found(at, arn, "one that events[%d] does not have", other)
		}

		bound[arn] = i
	}

	return nil
}

// ID identifies a source, the i-th of its function. A queue, topic or stream is identified by its
// ARN: it can be bound only once, and with its place in the list as id, moving it would create the
// new binding before the old one is deleted.
func (s Source) ID(i int) string {
	arn := s.Queue + s.Topic + s.Stream
	if arn == "" {
		return fmt.Sprint(i)
	}

	sum := sha256.Sum256([]byte(arn))

	return hex.EncodeToString(sum[:5])
}

func (s Source) check(at string) error {
	var kinds []string

	for _, kind := range []struct {
		name  string
		given bool
	}{
		{"schedule", s.Schedule != ""}, {"pattern", s.Pattern != nil}, {"queue", s.Queue != ""},
		{"topic", s.Topic != ""}, {"stream", s.Stream != ""},
	} {
		if kind.given {
			kinds = append(kinds, kind.name)
		}
	}

	switch {
	case len(kinds) != 1:
		return found(at, kinds, "one of schedule, pattern, queue, topic and stream")
	case s.Bus != "" && s.Pattern == nil:
		return found(at+".bus", s.Bus, "bus only together with pattern")
	case s.Batch != 0 && s.Queue == "" && s.Stream == "":
		return found(at+".batch", s.Batch, "batch only together with queue or stream")
	case s.Schedule != "" && !schedulePattern.MatchString(s.Schedule):
		return found(at+".schedule", s.Schedule, "\"rate(5 minutes)\" or \"cron(0 6 * * ? *)\"")
	case s.Queue != "" && !queuePattern.MatchString(s.Queue):
		return found(at+".queue", s.Queue, "the ARN of an SQS queue")
	case s.Queue != "" && (s.Batch < 1 || s.Batch > 10):
		return found(at+".batch", s.Batch, "1 to 10")
	case s.Stream != "" && !streamPattern.MatchString(s.Stream):
		return found(at+".stream", s.Stream, "the ARN of a Kinesis stream or a DynamoDB stream")
	case s.Stream != "" && (s.Batch < 1 || s.Batch > 10000):
		return found(at+".batch", s.Batch, "1 to 10000")
	case s.Topic != "" && !topicPattern.MatchString(s.Topic):
		return found(at+".topic", s.Topic,
			"the ARN of a standard SNS topic: a FIFO topic cannot call a Lambda")
	case s.Pattern != nil:
		return s.checkPattern(at)
	}

	return nil
}

// checkPattern refuses what EventBridge would certainly refuse. The operators in a pattern are left
// to EventBridge.
func (s Source) checkPattern(at string) error {
	if s.Bus != "" && !busPattern.MatchString(s.Bus) {
		return found(at+".bus", s.Bus, "the name of an event bus")
	}

	if len(s.Pattern) == 0 {
		return found(at+".pattern", "{}", "at least one field, or every event would match")
	}

	if text, _ := json.Marshal(s.Pattern); len(text) > 4096 {
		return found(at+".pattern", fmt.Sprintf("%d characters", len(text)), "at most 4096")
	}

	return checkFields(at+".pattern", s.Pattern, patternFields)
}

// checkFields checks that every leaf of a pattern is a list of matching values, and that the keys
// of this level are known; known is nil where any key will do.
func checkFields(at string, object map[string]any, known []string) error {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if known != nil && !slices.Contains(known, key) {
			return found(at+"."+key, "a field that no event has", "one of %s", strings.Join(known, ", "))
		}

		switch value := object[key].(type) {
		case map[string]any:
			if err := checkFields(at+"."+key, value, nil); err != nil {
				return err
			}
		case []any:
			if len(value) == 0 {
				return found(at+"."+key, "[]", "at least one value: an empty list matches nothing")
			}
		default:
			return found(at+"."+key, value, "a list of values, like [%q]", fmt.Sprint(value))
		}
	}

	return nil
}
