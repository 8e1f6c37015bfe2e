package infra

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lockstep/edge"
	"lockstep/infra/config"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestTemplates_Golden shows in a diff what a change does to a template. The router and the
// definition are tested at home: here they stand by their names.
func TestTemplates_Golden(t *testing.T) {
	for name, synthesized := range apps {
		t.Run(name, func(t *testing.T) {
			got := render(t, name, synthesized(t))

			file := filepath.Join("testdata", name+".golden.json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}

			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			if !bytes.Equal(got, want) {
				t.Errorf("%s: line %d differs; if that is meant, run go test ./infra -update and read the diff",
					file, firstDifference(got, want))
			}
		})
	}
}

// render is a template as a person compares it; of the large application only what is where.
func render(t *testing.T, name string, a app) []byte {
	t.Helper()

	stacks := map[string]any{}

	for file, template := range a.templates {
		switch name {
		case "large":
		case "edge", "virginia":
			stacks[file] = routed(template)
			continue
		default:
			stacks[file] = map[string]any{"Resources": template.Resources, "Outputs": template.Outputs}
			continue
		}

		types := map[string]int{}
		for _, r := range template.Resources {
			types[r.Type]++
		}

		stacks[file] = types
	}

	var out bytes.Buffer

	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")

	if err := encoder.Encode(stacks); err != nil {
		t.Fatal(err)
	}

	text := out.String()

	for title, long := range map[string]string{"definition": sm.Definition, "router": router(t, a)} {
		var inJSON bytes.Buffer

		quoting := json.NewEncoder(&inJSON)
		quoting.SetEscapeHTML(false)

		if err := quoting.Encode(long); err != nil {
			t.Fatal(err)
		}

		text = strings.ReplaceAll(text, strings.TrimSpace(inJSON.String()), `"the `+title+`"`)
	}

	if a.config.Router == config.LambdaEdge {
		text = ofTheRouter.ReplaceAllString(text, "${1}of the router")
	}

	return []byte(text)
}

// routed is of a template what Lambda@Edge adds, and what it changes.
func routed(t template) map[string]resource {
	some := map[string]resource{}

	for id, r := range t.Resources {
		kind, _, _ := strings.Cut(strings.TrimPrefix(r.Type, "AWS::"), "::")
		if kind == "CloudFront" || strings.HasPrefix(plain(id), "LockstepEdge") ||
			strings.Contains(r.Type, "CrossRegion") || strings.HasPrefix(id, "Edge") ||
			r.Type == "AWS::S3::AccessPoint" || r.Type == "AWS::S3::BucketPolicy" {
			some[id] = r
		}
	}

	return some
}

// ofTheRouter are hashes that are others with each change of the module of Lambda@Edge.
var ofTheRouter = regexp.MustCompile(`(EdgeCurrentVersion|EdgeFnCurrentVersion|"S3Key": ")(?:[0-9A-F]{8}[0-9a-f]{32}|[0-9a-f]{64}\.zip)`)

// router is the CloudFront Function of an application.
func router(t *testing.T, a app) string {
	t.Helper()

	code, err := edge.CloudFront((&Lockstep{config: a.config}).edgeOptions())
	if err != nil {
		t.Fatal(err)
	}

	return code
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return 1 + bytes.Count(a[:i], []byte("\n"))
		}
	}

	return 1 + bytes.Count(a[:min(len(a), len(b))], []byte("\n"))
}

func TestTemplates_Limits(t *testing.T) {
	for name, synthesized := range apps {
		t.Run(name, func(t *testing.T) {
			for file, template := range synthesized(t).templates {
				if n := len(template.Resources); n > 500 {
					t.Errorf("%s: found %d resources, expected at most 500", file, n)
				}

				if template.size > 1<<20 {
					t.Errorf("%s: found %d bytes, expected at most %d", file, template.size, 1<<20)
				}
			}
		})
	}
}

// TestTemplates_NewFunction_TouchesOneStack: a function's stack depends on its name alone, and no
// stack takes a value from another function's.
func TestTemplates_NewFunction_TouchesOneStack(t *testing.T) {
	seen := map[uint32]bool{}
	for _, f := range apps["large"](t).config.Functions {
		seen[shelfOf(f.Name)] = true
	}

	if len(seen) != shelves {
		t.Errorf("200 functions lie on %d shelves, expected all %d", len(seen), shelves)
	}

	if shelfOf("catalog") != 8 || shelfOf("orders") != 12 {
		t.Error("functions moved to other stacks: they would be made there before they are gone from where they are")
	}

	for file, template := range apps["large"](t).templates {
		for id, r := range template.Resources {
			if r.Type == "AWS::CloudFormation::Stack" && r.Properties["Parameters"] != nil {
				t.Errorf("%s: %s takes %v from elsewhere", file, id, r.Properties["Parameters"])
			}
		}
	}
}

// TestTemplates_OwnNothingOfARelease: a deployment in the middle of a release, or after a hundred,
// moves no traffic, because the template says nothing of what a release moves.
func TestTemplates_OwnNothingOfARelease(t *testing.T) {
	for name, synthesized := range apps {
		t.Run(name, func(t *testing.T) {
			a := synthesized(t)

			functions := map[string]bool{}
			for _, f := range a.config.Functions {
				functions[config.FunctionName(a.config.App, f.Name)] = true
			}

			codes := map[string]bool{}

			for file, template := range a.templates {
				for _, id := range slices.Sorted(maps.Keys(template.Resources)) {
					r := template.Resources[id]
					at := file + ": " + id

					switch r.Type {
					case "AWS::Lambda::Alias", "AWS::SSM::Parameter":
						if strings.HasPrefix(fmt.Sprint(r.Properties["Name"]), "/cdk/EdgeFunctionArn/") {
							break // CDK's own, which brings the ARN of a version from one Region to another
						}

						t.Errorf("%s: a %s is a release's to change", at, r.Type)
					case "AWS::Lambda::EventInvokeConfig":
						if keys := slices.Sorted(maps.Keys(r.Properties)); !slices.Equal(keys,
							[]string{"DestinationConfig", "FunctionName", "Qualifier"}) ||
							r.Properties["Qualifier"] != sm.LiveAlias {
							t.Errorf("%s: found %v, expected only where the failures of the alias live go", at,
								r.Properties)
						}
					case "AWS::Lambda::Version":
						if strings.Contains(file, "nested") {
							t.Errorf("%s: versions of the application's functions are a release's", at)
						}
					case "AWS::ApiGateway::Stage":
						if r.Properties["Variables"] != nil {
							t.Errorf("%s: found the variables %v, which are a release's", at, r.Properties["Variables"])
						}
					case "AWS::CloudFront::KeyValueStore":
						if r.Properties["ImportSource"] != nil {
							t.Errorf("%s: found an ImportSource: the route is a release's", at)
						}
					case "AWS::Lambda::Function":
						if fn, _ := r.Properties["FunctionName"].(string); functions[fn] {
							codes[fmt.Sprint(r.Properties["Code"])] = true
						}
					case "Custom::Lockstep":
						if keys := slices.Sorted(maps.Keys(r.Properties)); !slices.Equal(keys,
							[]string{"Caller", "ServiceToken", "Settings"}) {
							t.Errorf("%s: found the properties %v, expected what no release changes", at, keys)
						}
					}
				}
			}

			if len(codes) > 1 {
				t.Errorf("the functions have %d codes, expected the one placeholder, which never changes",
					len(codes))
			}
		})
	}
}

// TestTemplates_Destroy_KeepsData: what holds data stays, and nothing else that would be in the
// way of the next deployment.
func TestTemplates_Destroy_KeepsData(t *testing.T) {
	stays := map[string]string{"AWS::S3::Bucket": "Retain", "AWS::RDS::DBCluster": "Snapshot",
		"AWS::Lambda::Version": "Retain"}

	for name, synthesized := range apps {
		for file, template := range synthesized(t).templates {
			for id, r := range template.Resources {
				want := stays[r.Type]
				// AWS deletes none that has replicas
				if r.Type == "AWS::Lambda::Function" && (plain(id) == "Edge" || plain(id) == "LockstepEdgeFn") {
					want = "Retain"
				}

				if got := strings.TrimPrefix(r.DeletionPolicy, "Delete"); got != want {
					t.Errorf("%s: %s: %s: found the deletion policy %q, expected %q", name, file, id,
						r.DeletionPolicy, want)
				}
			}
		}
	}
}

// TestTemplates_NamesOfTheAccount: what an account has once in all Regions is named after its own,
// so that an application can be deployed to two.
func TestTemplates_NamesOfTheAccount(t *testing.T) {
	for name, synthesized := range apps {
		for file, template := range synthesized(t).templates {
			for id, r := range template.Resources {
				given := []any{r.Properties["RoleName"], r.Properties["DashboardName"]}
				if strings.HasPrefix(r.Type, "AWS::CloudFront::") {
					given = append(given, r.Properties["Name"])
					for _, value := range r.Properties {
						if object, ok := value.(map[string]any); ok {
							given = append(given, object["Name"])
						}
					}
				}

				for _, value := range given {
					if text := resolve(value); value != nil && !strings.Contains(text, wire.Region) &&
						!strings.Contains(text, "eu-west-1") {
						t.Errorf("%s: %s: %s: found the name %s, expected one with the Region in it", name, file, id,
							text)
					}
				}
			}
		}
	}

	for file := range apps["edge"](t).templates {
		if strings.Contains(file, "-edge") && !strings.Contains(file, "eu-west-1") {
			t.Errorf(
				"found the stack %s in us-east-1, expected one with the application's Region in its name", file)
		}
	}
}

// TestTemplates_LargeAPI_Warns: AWS raises the quota for who asks, so that too many routes are
// said and not refused.
func TestTemplates_LargeAPI_Warns(t *testing.T) {
	for name, want := range map[string]string{"large": "400 resources", "everything": ""} {
		said := ""

		files, err := filepath.Glob(filepath.Join(apps[name](t).dir, "*.json"))
		if err != nil {
			t.Fatal(err)
		}

		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			if i := bytes.Index(data, []byte("lockstep.functions: found ")); i >= 0 {
				said = string(data[i:min(i+120, len(data))])
			}
		}

		if (said != "") != (want != "") || !strings.Contains(said, want) {
			t.Errorf("%s: said %q, expected %q", name, said, want)
		}
	}
}
