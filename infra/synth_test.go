package infra

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// template is a synthesized CloudFormation template.
type template struct {
	Resources map[string]resource
	Outputs   map[string]any
	size      int
}

type resource struct {
	Type       string
	Properties map[string]any
	DependsOn  any `json:",omitempty"`
	// DeletionPolicy says what stays when the stack goes.
	DeletionPolicy string   `json:",omitempty"`
	Metadata       metadata `json:",omitzero"`
}

// metadata is what cdk-nag was asked to accept.
type metadata struct {
	Nag struct {
		Suppressed []struct {
			ID, Reason string
			AppliesTo  []any `json:"applies_to"`
		} `json:"rules_to_suppress"`
	} `json:"cdk_nag"`
}

// IsZero leaves it out of the golden files.
func (metadata) IsZero() bool { return true }

// app is one of those, synthesized.
type app struct {
	config    config.Config
	dir       string
	templates map[string]template // by file
	findings  [][]string          // what cdk-nag says of each rule and resource
}

var keep = flag.String("keep", "", "a folder to leave the templates in, for checkers that others wrote; empty or not there yet")

var apps = map[string]func(t *testing.T) app{
	"smallest":   synthOnce("smallest", `{"app":"shop"}`),
	"everything": synthOnce("everything", everything),
	"adopted":    synthOnce("adopted", adopted),
	"large":      synthOnce("large", large()),
	"edge":       synthOnce("edge", atTheEdge, "eu-west-1"),
	// where the function is in the same stack
	"virginia": synthOnce("virginia", atTheEdge, edgeRegion),
}

// main is the template of the application's stack.
const main = "lockstep-shop.template.json"

const everything = `{
	"app": "shop",
	"functions": [
		{"name": "catalog", "runtime": "provided.al2023", "handler": "bootstrap", "routes": ["/catalog"], "environment": {"CURRENCY": "EUR"},
			"events": [
				{"schedule": "rate(5 minutes)"},
				{"pattern": {"source": ["shop"], "detail": {"kind": [{"prefix": "goods"}]}}, "bus": "goods"},
				{"queue": "arn:aws:sqs:eu-west-1:123456789012:goods", "batch": 5},
				{"topic": "arn:aws:sns:eu-west-1:123456789012:prices"},
				{"stream": "arn:aws:dynamodb:eu-west-1:123456789012:table/goods/stream/2026-01-01T00:00:00.000"},
				{"stream": "arn:aws:kinesis:eu-west-1:123456789012:stream/visits", "batch": 500}
			]},
		{"name": "orders", "runtime": "nodejs22.x", "handler": "index.handler", "routes": ["/orders", "/baskets"], "memory": 1024, "timeout": "20s", "architecture": "x86_64"}
	],
	"site": {"pages": "single"},
	"database": {"new": {"name": "shop", "maxCapacity": 8}},
	"domains": {
		"site": {"name": "shop.example.com", "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/11111111-1111-1111-1111-111111111111"},
		"api": {"name": "api.example.com", "certificate": "arn:aws:acm:eu-west-1:123456789012:certificate/22222222-2222-2222-2222-222222222222"}
	},
	"windows": [{"days": ["mon", "tue"], "from": "09:00", "to": "16:00", "zone": "Europe/Berlin"}],
	"probe": {"function": "release-check"},
	"notifications": {"emails": ["releases@example.com"]},
	"trigger": "upload",
	"github": {"repository": "example/shop"},
	"logDays": 90
}`

const adopted = `{
	"app": "shop",
	"functions": [
		{"name": "catalog", "existing": "catalog-production", "routes": ["/catalog"], "events": [{"pattern": {"source": ["shop"]}}]},
		{"name": "orders", "existing": "arn:aws:lambda:eu-west-1:123456789012:function:orders-production", "routes": ["/orders"]}
	],
	"database": {
		"secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-AbCdEf",
		"vpc": {"id": "vpc-0123456789abcdef0", "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"], "securityGroups": ["sg-0123456789abcdef0"]}
	},
	"github": {"repository": "example/shop", "branch": "production", "provider": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}
}`

const atTheEdge = `{
	"app": "shop",
	"functions": [{"name": "catalog", "runtime": "nodejs22.x", "handler": "index.handler", "routes": ["/catalog"]}],
	"site": {"cookieDomain": "example.com"},
	"domains": {"site": {"name": "shop.example.com", "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/11111111-1111-1111-1111-111111111111"}},
	"router": "lambda-edge"
}`

func large() string {
	var functions []string
	for i := range 200 {
		functions = append(functions, fmt.Sprintf(`{"name":"f%03d","runtime":"provided.al2023","handler":"bootstrap","routes":["/f%03d"]}`, i, i))
	}

	return `{"app":"shop","functions":[` + strings.Join(functions, ",") + `]}`
}

// synthOnce synthesizes when a test first asks: a synth takes seconds.
func synthOnce(name, source string, region ...string) func(*testing.T) app {
	synthesized := sync.OnceValues(func() (app, error) { return synth(name, source, region...) })

	return func(t *testing.T) app {
		t.Helper()

		a, err := synthesized()
		if err != nil {
			t.Fatal(err)
		}

		return a
	}
}

func TestMain(m *testing.M) {
	os.Setenv("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20")

	code := m.Run()

	jsii.Close()

	for _, dir := range temporary {
		os.RemoveAll(dir)
	}

	os.Exit(code)
}

var temporary []string

// synth synthesizes for a Region, or for any.
func synth(name, source string, region ...string) (app, error) {
	c, err := config.Parse([]byte(source))
	if err != nil {
		return app{}, err
	}

	dir, err := os.MkdirTemp("", "lockstep-infra-")
	if err != nil {
		return app{}, err
	}

	temporary = append(temporary, dir)

	code, err := fakeCode(filepath.Join(dir, "code"))
	if err != nil {
		return app{}, err
	}

	out := filepath.Join(dir, "out")
	cdk := awscdk.NewApp(&awscdk.AppProps{Outdir: &out, AnalyticsReporting: jsii.Bool(false),
		Context: &map[string]any{
			"aws:cdk:enable-asset-metadata": false, "aws:cdk:disable-stack-trace": true,
		}})

	props := &awscdk.StackProps{}
	for _, r := range region {
		props.Env = &awscdk.Environment{Account: jsii.String("123456789012"), Region: &r}
	}

	stack := awscdk.NewStack(cdk, jsii.String("lockstep-shop"), props)
	NewLockstep(stack, "Lockstep", Props{Config: c, Code: code})
	awscdk.Aspects_Of(
		cdk).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
	cdk.Synth(nil)

	a := app{config: c, dir: out, templates: map[string]template{}}
	if a.findings, err = findings(out); err != nil {
		return a, err
	}

	files, err := filepath.Glob(filepath.Join(out, "*.template.json"))
	if err != nil {
		return a, err
	}

	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return a, err
		}

		var t template
		if err := json.Unmarshal(data, &t); err != nil {
			return a, err
		}

		t.size = len(data)
		a.templates[filepath.Base(file)] = t
	}

	if *keep != "" && name != "" {
		if err := os.CopyFS(filepath.Join(*keep, name), os.DirFS(out)); err != nil {
			return a, err
		}
	}

	return a, nil
}

// fakeCode is a folder as Build leaves it, always with the same bytes, so that the templates are
// the same too.
func fakeCode(dir string) (Code, error) {
	c := CodeIn(dir)

	names := []string{provisioner}
	for _, task := range sm.Functions() {
		names = append(names, strings.ToLower(string(task)))
	}

	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return c, err
		}

		if err := os.WriteFile(filepath.Join(dir, name, "bootstrap"), []byte(name), 0o755); err != nil {
			return c, err
		}
	}

	return c, c.writePlaceholder()
}

// findings reads the reports that cdk-nag leaves for each stack.
func findings(dir string) ([][]string, error) {
	reports, err := filepath.Glob(filepath.Join(dir, "AwsSolutions-*-NagReport.csv"))
	if err != nil || reports == nil {
		return nil, fmt.Errorf("find the reports of cdk-nag in %s: found none: %w", dir, err)
	}

	var list [][]string

	for _, report := range reports {
		data, err := os.ReadFile(report)
		if err != nil {
			return nil, err
		}

		rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", report, err)
		}

		list = append(list, rows[1:]...)
	}

	return list, nil
}
