package lambda

import (
	"net/http"
	"runtime"
	"slices"

	"lockstep/infra/local/cloud/wire"
)

// configuration is a version in the form of the API.
type configuration struct {
	FunctionName     string
	FunctionArn      string
	Runtime          string
	Role             string
	Handler          string
	CodeSize         int
	CodeSha256       string
	Description      string
	Timeout          int
	MemorySize       int
	Environment      *environment `json:",omitempty"`
	LastModified     string
	Version          string
	RevisionId       string
	State            string
	LastUpdateStatus string
	PackageType      string
	Architectures    []string
}

type environment struct{ Variables map[string]string }

// configuration describes v under the name that the caller used for it.
func (v *Version) configuration(n name) configuration {
	c := configuration{
		FunctionName: v.Function, FunctionArn: n.arn(), Runtime: "provided.al2023", Handler: v.Handler,
		Role:     "arn:aws:iam::" + wire.Account + ":role/" + v.Function,
		CodeSize: len(v.Zip), CodeSha256: v.CodeSHA256, Description: v.Description,
		Timeout: int(v.Timeout.Seconds()), MemorySize: v.MemoryMB,
		LastModified: v.Modified.UTC().Format("2006-01-02T15:04:05.000-0700"),
		Version:      v.Version, RevisionId: v.Status.revisionID(),
		State: "Active", LastUpdateStatus: "Successful",
		PackageType: "Zip", Architectures: []string{architecture()},
	}
	if v.Status.inProgress() {
		c.LastUpdateStatus = "InProgress"
	}

	if len(v.Environment) > 0 {
		c.Environment = &environment{v.Environment}
	}

	return c
}

// architecture is the architecture of this machine, by the name that AWS gives it.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}

	return runtime.GOARCH
}

func (s *Service) getFunction(_ *http.Request, f *function, n name) (any, error) {
	v, err := f.resolve(n)
	if err != nil {
		return nil, err
	}

	return struct {
		Configuration configuration
		Code          map[string]string
	}{v.configuration(n), map[string]string{"RepositoryType": "S3", "Location": ""}}, nil
}

func (s *Service) getConfiguration(_ *http.Request, f *function, n name) (any, error) {
	v, err := f.resolve(n)
	if err != nil {
		return nil, err
	}

	return v.configuration(n), nil
}

func (s *Service) publishVersion(r *http.Request, f *function, n name) (any, error) {
	var in struct{ CodeSha256, Description, RevisionId string }
	if err := wire.Read(r, &in); err != nil {
		return nil, err
	}

	if err := f.ready(n); err != nil {
		return nil, err
	}

	if err := checkRevision(in.RevisionId, f.Latest.Status.revisionID()); err != nil {
		return nil, err
	}

	if in.CodeSha256 != "" && in.CodeSha256 != f.Latest.CodeSHA256 {
		return nil, invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). "+
			"Please try again with the CodeSHA256 in $LATEST.", in.CodeSha256, f.Latest.CodeSHA256)
	}

	v := f.publish(in.Description)

	return v.configuration(name{n.function, v.Version}), nil
}

func (s *Service) listVersions(r *http.Request, f *function, n name) (any, error) {
	list := []configuration{f.Latest.configuration(name{n.function, latest})}
	for i := range f.Versions {
		list = append(list, f.Versions[i].configuration(name{n.function, f.Versions[i].Version}))
	}

	page, next, err := paginate(r, list)

	return struct {
		NextMarker string `json:",omitempty"`
		Versions   []configuration
	}{next, page}, err
}

func (s *Service) listFunctions(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	names := make([]string, 0, len(s.functions))
	for n := range s.functions {
		names = append(names, n)
	}

	slices.Sort(names)

	list := []configuration{}

	for _, n := range names {
		f := s.functions[n]
		list = append(list, f.Latest.configuration(name{function: n}))

		if r.URL.Query().Get("FunctionVersion") != "ALL" {
			continue
		}

		for i := range f.Versions {
			list = append(list, f.Versions[i].configuration(name{n, f.Versions[i].Version}))
		}
	}

	page, next, err := paginate(r, list)

	return struct {
		NextMarker string `json:",omitempty"`
		Functions  []configuration
	}{next, page}, err
}

func (s *Service) deleteFunction(_ *http.Request, f *function, n name) (any, error) {
	if n.qualifier != "" {
		return nil, f.unpublish(n)
	}

	delete(s.functions, n.function)

	return nil, nil
}

// invocable is the version that an invocation by this name runs. While an update is in progress it
// is the previous code.
func (f *function) invocable(n name) (Version, error) {
	v, err := f.resolve(n)
	if err != nil {
		return Version{}, err
	}

	if v == &f.Latest && v.Status.inProgress() {
		return f.Before, nil
	}

	return *v, nil
}
